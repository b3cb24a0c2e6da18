import { connectBus } from '@tandem/bus/bus.ts'
import { readEnvironment } from '@tandem/observability/environment.ts'
import { startHealth } from '@tandem/observability/health.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { runService } from '@tandem/observability/run.ts'
import { startObservability } from '@tandem/observability/start.ts'
import { startRouting } from './service.ts'

const service = 'routing'
const environment = readEnvironment(process.env)
const log = createLogger({ service, level: environment.logLevel })

runService(log, async () => {
  const observability = await startObservability({ service, environment: process.env })
  const bus = await connectBus({
    ...{ service, url: environment.natsUrl, user: environment.natsUser, password: environment.natsPassword },
    credsDir: environment.natsCredsDir,
    onTrouble: (trouble) => log.warn(trouble, 'bus'),
  })
  const routing = startRouting({ bus, log, clock: Date.now })
  const health = await startHealth({
    ...{ service, host: environment.healthHost, port: environment.healthPort },
    ready: routing.ready,
  })
  log.info({ health: health.port }, 'health')
  return {
    stop: async () => {
      await routing.stop()
      await health.close()
      await bus.close()
      await observability.stop()
    },
  }
})
