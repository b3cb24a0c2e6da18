import { join } from 'node:path'
import { connectBus } from '@tandem/bus/bus.ts'
import { followConfiguration } from '@tandem/config/follow-configuration.ts'
import { readEnvironment } from '@tandem/observability/environment.ts'
import { startHealth } from '@tandem/observability/health.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { runService } from '@tandem/observability/run.ts'
import { startObservability } from '@tandem/observability/start.ts'
import { openIncidentFile } from './adapters/incident-file.ts'
import { type LocationService, startLocation } from './service.ts'

const service = 'location'
const environment = readEnvironment(process.env)
const log = createLogger({ service, level: environment.logLevel })

runService(log, async () => {
  const observability = await startObservability({ service, environment: process.env })
  const incidents = await openIncidentFile(join(environment.dataFolder, 'location'))
  const bus = await connectBus({
    ...{ service, url: environment.natsUrl, user: environment.natsUser, password: environment.natsPassword },
    credsDir: environment.natsCredsDir,
    onTrouble: (trouble) => log.warn(trouble, 'bus'),
  })
  let location: LocationService | undefined
  const stopFollowing = followConfiguration(bus, log, (configuration, revision) => {
    if (location) location.configure(configuration)
    else location = startLocation({ bus, log, configuration, incidents })
    log.info({ revision }, 'configuration in force')
  })
  const health = await startHealth({
    ...{ service, host: environment.healthHost, port: environment.healthPort },
    ready: () => (bus.connected ? (location ? undefined : 'no configuration yet') : 'not connected to NATS'),
  })
  log.info({ health: health.port }, 'health')
  return {
    stop: async () => {
      await stopFollowing()
      await location?.stop()
      await health.close()
      await bus.close()
      await incidents.close()
      await observability.stop()
    },
  }
})
