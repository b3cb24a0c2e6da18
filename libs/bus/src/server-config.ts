/** The nats-server configuration of the platform: one user per service with the permissions of its contracts. */
import { type ServiceName, serviceNames } from '@tandem/contracts/contract.ts'
import { permissionsOf } from '@tandem/contracts/permissions.ts'

export interface ServerSettings {
  readonly host: string
  /** -1: a free port (read it from the ports file). */
  readonly port: number
  readonly storeDir: string
  /** Password by service; a value starting with `$` is an environment variable that nats-server resolves. */
  readonly passwords: Readonly<Record<ServiceName, string>>
  readonly portsFileDir?: string
  readonly monitorPort?: number
}

/** The configuration with 8 MiB messages: a configuration revision with its rate decks is one message. */
export function natsServerConfig(s: ServerSettings): string {
  const users = serviceNames.map((service) => userBlock(service, s.passwords[service]))
  return [
    '# Made by libs/bus/src/server-config.ts from the contracts: who may publish and subscribe what.',
    `listen: ${JSON.stringify(`${s.host}:${s.port}`)}`,
    'server_name: tandem',
    // it keeps who listens to each subject, and ours are new ones: each leg of a call tells its facts on subjects of its own
    'disable_sublist_cache: true',
    'max_payload: 8MB',
    'max_pending: 128MB',
    ...(s.portsFileDir === undefined ? [] : [`ports_file_dir: ${JSON.stringify(s.portsFileDir)}`]),
    ...(s.monitorPort === undefined ? [] : [`http: ${s.monitorPort}`]),
    `jetstream { store_dir: ${JSON.stringify(s.storeDir)}, max_file_store: 32GB, max_memory_store: 256MB }`,
    'authorization {',
    '  timeout: 5',
    '  users = [',
    ...users,
    '  ]',
    '}',
    '',
  ].join('\n')
}

function userBlock(service: ServiceName, password: string): string {
  const { publish, subscribe } = permissionsOf(service)
  const secret = password.startsWith('$') ? password : JSON.stringify(password)
  const list = (subjects: readonly string[]): string =>
    subjects.map((x) => `          ${JSON.stringify(x)}`).join(',\n')
  return [
    '    {',
    `      user: ${JSON.stringify(service)}, password: ${secret}`,
    '      permissions {',
    `        publish { allow: [\n${list(publish)}\n        ] }`,
    `        subscribe { allow: [\n${list(subscribe)}\n        ] }`,
    '      }',
    '    }',
  ].join('\n')
}

/** For containers: passwords come from `<SERVICE>_NATS_PASSWORD` in the environment of nats-server. */
export function containerServerConfig(): string {
  const name = (service: ServiceName): string => `$${service.toUpperCase().replaceAll('-', '_')}_NATS_PASSWORD`
  return natsServerConfig({
    host: '0.0.0.0',
    port: 4222,
    storeDir: '/data',
    monitorPort: 8222,
    passwords: Object.fromEntries(serviceNames.map((s) => [s, name(s)])) as Record<ServiceName, string>,
  })
}
