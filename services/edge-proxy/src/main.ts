import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { readEnvironment } from '@tandem/observability/environment.ts'
import { startHealth } from '@tandem/observability/health.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { runService } from '@tandem/observability/run.ts'
import { startObservability } from '@tandem/observability/start.ts'
import { connectLate } from './adapters/late-bus.ts'
import { callsIn } from './calls.ts'
import { type EdgeService, startEdge } from './service.ts'

const service = 'edge-proxy'
const environment = readEnvironment(process.env)
const log = createLogger({ service, level: environment.logLevel })
/** The same at every start of this edge, another one for every other: by host and data folder unless it is given. */
const node =
  process.env.TANDEM_NODE ??
  `edge-${createHash('sha256')
    .update(`${hostname()} ${resolve(environment.dataFolder)}`)
    .digest('hex')
    .slice(0, 10)}`

const start = async () => {
  const observability = await startObservability({ service, environment: process.env })
  let edge: EdgeService | undefined
  const { bus, connected } = connectLate({
    ...{ service, url: environment.natsUrl, user: environment.natsUser, password: environment.natsPassword },
    credsDir: environment.natsCredsDir,
    onTrouble: (trouble) => log.warn(trouble, 'bus'),
    onConnected: (there) => {
      log.warn({ connected: there }, 'bus')
      if (there) edge?.reconnected()
    },
  })
  const { dataFolder } = environment
  // a new certificate, told by who put it there; they are looked at every few seconds anyway
  process.on('SIGHUP', () => edge?.core()?.renewCertificates())
  edge = startEdge({
    ...{ bus, connected, log, dataFolder, node, address: process.env.TANDEM_EDGE_ADDRESS },
    env: { ...process.env, TANDEM_DATA: dataFolder },
    createCalls: callsIn(dataFolder, process.env),
  })
  const { ready } = edge
  const health = await startHealth({ service, host: environment.healthHost, port: environment.healthPort, ready })
  log.info({ health: health.port, node }, 'health')
  await edge.started
  return {
    stop: async () => {
      await edge.stop()
      await health.close()
      await bus.close()
      await observability.stop()
    },
  }
}

// a call that stumbles must not end all others
runService(log, start, { goesOn: true })
