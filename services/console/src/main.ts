import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { connectBus } from '@tandem/bus/bus.ts'
import { makeStreams } from '@tandem/bus/streams.ts'
import { readEnvironment } from '@tandem/observability/environment.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { runService } from '@tandem/observability/run.ts'
import { startObservability } from '@tandem/observability/start.ts'
import { readTokens } from './domain/access.ts'
import { startConsole } from './service.ts'

const environment = readEnvironment(process.env)
const log = createLogger({ service: 'console', level: environment.logLevel })

runService(log, async () => {
  const tracing = await startObservability({ service: 'console', environment: process.env })
  const bus = await connectBus({
    service: 'console',
    url: environment.natsUrl,
    user: environment.natsUser,
    password: environment.natsPassword,
    credsDir: environment.natsCredsDir,
    onTrouble: (trouble) => log.error(trouble, 'bus'),
  })
  await makeStreams(bus.connection, { replicas: Number(process.env.TANDEM_STREAM_REPLICAS ?? 1) })
  const api = process.env.TANDEM_API ?? '127.0.0.1:8080'
  const separator = api.lastIndexOf(':')
  const tokenFile = process.env.TANDEM_API_TOKENS_FILE
  const console = await startConsole({
    bus,
    log,
    host: api.slice(0, separator),
    port: Number(api.slice(separator + 1)),
    tokens: tokenFile === undefined ? [] : readTokens(readFileSync(tokenFile, 'utf8')),
    openOnLoopback: process.env.TANDEM_OPEN_ON_LOOPBACK === '1',
    page: fileURLToPath(new URL('../dist/page', import.meta.url)),
  })
  log.info({ port: console.port }, 'HTTP API listens')
  return {
    stop: async () => {
      await console.stop()
      await bus.close()
      await tracing.stop()
    },
  }
})
