import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { type EmbeddedServer, startEmbedded } from './embedded.ts'

/** An open database. NUMERIC and BIGINT come as strings: money is never a float. */
export interface Database {
  readonly url: string
  readonly pool: pg.Pool
  /** The embedded server when this process started or adopted it. */
  readonly embedded?: EmbeddedServer
  /** A typed query builder over the same pool. */
  kysely<Tables>(): Kysely<Tables>
  /** True when the database answers within `timeoutMs`. */
  answers(timeoutMs?: number): Promise<boolean>
  /** Ends the pool, and the embedded server if this process owns it. */
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** DATABASE_URL; without it the embedded server of `dataFolder` is used. */
  url?: string | undefined
  dataFolder?: string | undefined
  /** Connections at most; default 10. */
  connections?: number
  /** Shown in pg_stat_activity. */
  name?: string
  /** Hears of connections that broke while no query ran (the server went away); the pool makes new ones. */
  onConnectionLost?: (error: Error) => void
}

export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  let embedded: EmbeddedServer | undefined
  let url = options.url
  if (url === undefined) {
    if (options.dataFolder === undefined) throw new Error('openDatabase needs a url or a data folder')
    embedded = await startEmbedded({ dataFolder: options.dataFolder })
    url = embedded.url
  }
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connections ?? 10,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: options.name ?? 'tandem',
  })
  // A connection may break while it is lent out and no query runs on it: without a listener of its own that would end
  // the process. The pool's own event tells only of idle ones, which are told of here already.
  pool.on('connect', (client) => client.on('error', (error) => options.onConnectionLost?.(error)))
  pool.on('error', () => {})
  return {
    url,
    pool,
    ...(embedded === undefined ? {} : { embedded }),
    kysely: <Tables>() => new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }),
    answers: (timeoutMs = 2000) => answers(pool, timeoutMs),
    close: async () => {
      await pool.end()
      if (embedded !== undefined && !embedded.adopted) await embedded.stop()
    },
  }
}

async function answers(pool: pg.Pool, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs)
  })
  const asked = pool.query('SELECT 1').then(
    () => true,
    () => false,
  )
  try {
    return await Promise.race([asked, late])
  } finally {
    clearTimeout(timer)
  }
}

/** SQLSTATE classes that mean "the server is away or going", not "this statement is wrong". */
const AWAY_STATES = /^(08|53|57P0[1-5]|58)/
const AWAY_ERRNO = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** Whether an error says that the database cannot be reached now, so that the same work may be tried again later. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError) return error.errors.some(isDatabaseAway)
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string') return AWAY_STATES.test(code) || AWAY_ERRNO.has(code)
  return /connection (terminated|timeout|ended)|timeout exceeded when trying to connect|client (has encountered|was closed)|not queryable/i.test(
    error.message,
  )
}
