/** How each service is started: its command, and no more of the environment than it needs. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ServiceName, serviceNames } from '@tandem/contracts/contract.ts'
import type { DataFolder } from './data-folder.ts'
import type { PartPlan } from './part.ts'
import { waitForHttp } from './readiness.ts'

export interface ServiceSettings {
  folder: DataFolder
  configFolder: string
  /** host:port of the console */
  api: string
  environment: NodeJS.ProcessEnv
  natsUrl(): string
  natsPassword(service: ServiceName): string | undefined
  databaseUrl(): string
  healthPort(service: ServiceName): number
  /** names, roles and SHA-256 of the API's tokens */
  tokensFile: string
  /** secrets named by the configuration, for edge-proxy alone */
  secrets: Readonly<Record<string, string>>
  /** the API answers without a token, as the loopback demonstration does */
  open: boolean
}

const repository = fileURLToPath(new URL('../../../', import.meta.url))

/** What any process of ours is given when the shell has it. */
const PASSED_ON =
  /^(PATH|HOME|TZ|LANG|LC_\w+|TMPDIR|LOG_LEVEL|NODE_OPTIONS|NODE_EXTRA_CA_CERTS|OTEL_\w+|NATS_(CREDS_DIR|USER|PASSWORD))$/
const USES_DATABASE: ReadonlySet<ServiceName> = new Set(['billing'])

export function planServices(settings: ServiceSettings): PartPlan[] {
  return serviceNames.map((name) => planService(name, settings))
}

/** The console answers for its health where its API is. */
export function healthUrl(name: ServiceName, settings: Pick<ServiceSettings, 'healthPort' | 'api'>): string {
  return name === 'console' ? `http://${settings.api}` : `http://127.0.0.1:${settings.healthPort(name)}`
}

function planService(name: ServiceName, settings: ServiceSettings): PartPlan {
  const main = join(repository, 'services', name, 'src', 'main.ts')
  if (!existsSync(main)) throw new Error(`${main} is not there`)
  return {
    name,
    command: process.execPath,
    arguments: () => ['--disable-warning=ExperimentalWarning', main],
    environment: () => environmentOf(name, settings),
    log: join(settings.folder.logs, `${name}.log`),
    stopSignal: 'SIGTERM',
    stopWithinMs: 12_000,
    ready: (signal) => waitForHttp(`${healthUrl(name, settings)}/readyz`, signal),
  }
}

function environmentOf(name: ServiceName, s: ServiceSettings): NodeJS.ProcessEnv {
  const passed = Object.entries(s.environment).filter(([key]) => PASSED_ON.test(key))
  const password = s.natsPassword(name)
  return {
    ...Object.fromEntries(passed),
    NATS_URL: s.natsUrl(),
    ...(password === undefined ? {} : { NATS_USER: name, NATS_PASSWORD: password }),
    ...(USES_DATABASE.has(name) ? { DATABASE_URL: s.databaseUrl() } : {}),
    HEALTH_PORT: String(s.healthPort(name)),
    TANDEM_DATA: s.folder.path,
    TANDEM_CONFIG_DIR: s.configFolder,
    TANDEM_SUPERVISED: '1',
    // the second start does not compile again
    NODE_COMPILE_CACHE: join(s.folder.path, 'cache'),
    ...(name === 'console' ? { TANDEM_API: s.api, TANDEM_API_TOKENS_FILE: s.tokensFile } : {}),
    ...(name === 'console' && s.open ? { TANDEM_OPEN_ON_LOOPBACK: '1' } : {}),
    ...(name === 'edge-proxy' ? s.secrets : {}),
  }
}
