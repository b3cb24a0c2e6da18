/** What every service reads from its environment, once, in `main.ts`. */
export interface ServiceEnvironment {
  readonly natsUrl: string
  readonly natsUser: string | undefined
  readonly natsPassword: string | undefined
  readonly natsCredsDir: string | undefined
  readonly databaseUrl: string | undefined
  readonly logLevel: string
  readonly dataFolder: string
  readonly healthHost: string
  readonly healthPort: number
}

/** Throws with the name of the variable, its value and what to write instead. */
export function readEnvironment(environment: NodeJS.ProcessEnv): ServiceEnvironment {
  const natsUrl = environment.NATS_URL
  if (!natsUrl)
    throw new Error('NATS_URL is not set: give the address of the NATS server, e.g. NATS_URL=nats://127.0.0.1:4222')
  return Object.freeze({
    natsUrl,
    natsUser: environment.NATS_USER,
    natsPassword: environment.NATS_PASSWORD,
    natsCredsDir: environment.NATS_CREDS_DIR,
    databaseUrl: environment.DATABASE_URL,
    logLevel: environment.LOG_LEVEL ?? 'info',
    dataFolder: environment.TANDEM_DATA ?? './.tandem',
    healthHost: environment.HEALTH_HOST ?? '127.0.0.1',
    healthPort: portOf(environment.HEALTH_PORT),
  })
}

function portOf(text: string | undefined): number {
  if (text === undefined || text === '') return 0
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new Error(`HEALTH_PORT is ${JSON.stringify(text)}: write a port number from 0 (any free one) to 65535`)
  return port
}
