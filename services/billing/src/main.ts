import { connectBus } from '@tandem/bus/bus.ts'
import { readEnvironment } from '@tandem/observability/environment.ts'
import { startHealth } from '@tandem/observability/health.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { runService } from '@tandem/observability/run.ts'
import { startObservability } from '@tandem/observability/start.ts'
import { openDatabase } from '@tandem/store/database.ts'
import { startBilling } from './service.ts'

const service = 'billing'
const log = createLogger({ service, level: process.env.LOG_LEVEL })

runService(log, async () => {
  const environment = readEnvironment(process.env)
  const observability = await startObservability({ service, environment: process.env })
  const database = await openDatabase({
    url: environment.databaseUrl,
    dataFolder: environment.dataFolder,
    name: service,
    onConnectionLost: (error) => log.warn({ err: error }, 'database connection lost'),
  })
  const bus = await connectBus({
    service,
    url: environment.natsUrl,
    user: environment.natsUser,
    password: environment.natsPassword,
    credsDir: environment.natsCredsDir,
    onTrouble: (trouble) => log.warn(trouble, 'bus trouble'),
    onConnected: (connected) => log.info({ connected }, 'bus connection'),
  })
  const billing = startBilling({ bus, database, log })
  const health = await startHealth({
    service,
    host: environment.healthHost,
    port: environment.healthPort,
    ready: billing.notReady,
  })
  log.info({ health: health.port }, 'billing started')
  return {
    stop: async () => {
      await billing.stop()
      await bus.close()
      await database.close()
      await health.close()
      await observability.stop()
    },
  }
})
