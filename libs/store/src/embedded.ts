import { spawn } from 'node:child_process'
import { open, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { prepareBinaries, serverUser } from './embedded-binaries.ts'
import {
  type ClusterPlaces,
  clusterPlaces,
  DATABASE,
  OWNER,
  prepareCluster,
  removeAbandoned,
  serverEnvironment,
} from './embedded-cluster.ts'
import { findRunning, isAlive, removeStalePidFile, stopServer } from './embedded-process.ts'

/** A PostgreSQL server of our own, for one data folder, on a loopback port. */
export interface EmbeddedServer {
  /** What the services get as DATABASE_URL; it holds the password. */
  url: string
  port: number
  pid: number
  /** It was running already: left behind by a process that was killed, or owned by another. */
  adopted: boolean
  log: string
  /** Stops it cleanly; a second call does nothing. */
  stop(): Promise<void>
}

const START_PATIENCE_MS = 30_000

/**
 * Starts (the first time: makes) the server of `dataFolder`, or takes over the one that still runs there.
 * One process owns it; the services are given its `url`. Throws an Error with the end of the server's log.
 */
export async function startEmbedded({ dataFolder }: { dataFolder: string }): Promise<EmbeddedServer> {
  const user = await serverUser()
  const binaries = await prepareBinaries(user)
  await removeAbandoned()
  const places = clusterPlaces(dataFolder)
  const password = await prepareCluster(dataFolder, places, binaries, user)
  const until = performance.now() + START_PATIENCE_MS
  for (let attempt = 0; ; attempt += 1) {
    const running = await findRunning(places.data)
    if (running !== undefined) {
      if (await becomesReady(places, running.pid, until)) return await handleOf(places, password, attempt === 0)
    } else {
      await removeStalePidFile(places.data)
      const port = await freePort(attempt === 0 ? await lastPort(places) : 0)
      const pid = await spawnServer(binaries.postgres, places, port, user)
      if (await becomesReady(places, pid, until)) {
        await writeFile(join(places.base, 'port'), String(port))
        return await handleOf(places, password, false)
      }
    }
    // Lost a race for the port or the data directory, or children of a killed server are still going: once more.
    if (performance.now() > until || attempt >= 10)
      throw new Error(`PostgreSQL does not start:\n${await logEnd(places.log)}`)
    await sleep(200)
  }
}

/** Stops the server of a data folder, whoever started it. False when none runs. */
export async function stopEmbedded({ dataFolder }: { dataFolder: string }): Promise<boolean> {
  const running = await findRunning(clusterPlaces(dataFolder).data)
  if (running === undefined) return false
  await stopServer(running.pid)
  return true
}

/** The running server of a data folder, without starting one. */
export async function findEmbedded({ dataFolder }: { dataFolder: string }): Promise<EmbeddedServer | undefined> {
  const places = clusterPlaces(dataFolder)
  const running = await findRunning(places.data)
  if (running === undefined) return undefined
  return handle(places, (await readFile(places.passwordFile, 'utf8')).trim(), running, true)
}

/** Stops the server and removes its cluster: for tests and for a data folder that is given up. */
export async function eraseEmbedded({ dataFolder }: { dataFolder: string }): Promise<void> {
  await stopEmbedded({ dataFolder })
  const places = clusterPlaces(dataFolder)
  await rm(places.base, { recursive: true, force: true })
  await rm(places.passwordFile, { force: true })
}

async function spawnServer(
  postgres: string,
  places: ClusterPlaces,
  port: number,
  user: { uid: number; gid: number } | undefined,
): Promise<number> {
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 60,
    shared_buffers: '64MB',
    max_wal_size: '512MB',
    wal_level: 'minimal',
    max_wal_senders: 0,
    jit: 'off',
    log_min_messages: 'warning',
  }
  const log = await open(places.log, 'a', 0o600)
  try {
    // A group of its own: Ctrl-C in the terminal reaches us, and we stop the services before their database.
    const child = spawn(
      postgres,
      ['-D', places.data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...user, cwd: places.base, env: serverEnvironment(), detached: true, stdio: ['ignore', log.fd, log.fd] },
    )
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    child.unref()
    return child.pid as number
  } finally {
    await log.close()
  }
}

async function becomesReady(places: ClusterPlaces, pid: number, until: number): Promise<boolean> {
  while (performance.now() < until) {
    const running = await findRunning(places.data)
    if (running?.ready) return true
    if (running === undefined && !isAlive(pid)) return false
    await sleep(15)
  }
  return false
}

async function handleOf(places: ClusterPlaces, password: string, adopted: boolean): Promise<EmbeddedServer> {
  const running = await findRunning(places.data)
  if (running === undefined) throw new Error(`PostgreSQL ended right after its start:\n${await logEnd(places.log)}`)
  const server = handle(places, password, running, adopted)
  await ensureDatabase(server.url)
  return server
}

function handle(
  places: ClusterPlaces,
  password: string,
  running: { pid: number; port: number },
  adopted: boolean,
): EmbeddedServer {
  const { pid, port } = running
  return {
    url: `postgres://${OWNER}:${password}@127.0.0.1:${port}/${DATABASE}`,
    pid,
    port,
    adopted,
    log: places.log,
    stop: async () => {
      const current = await findRunning(places.data)
      if (current?.pid === pid) await stopServer(pid)
    },
  }
}

async function ensureDatabase(url: string): Promise<void> {
  const maintenance = new URL(url)
  maintenance.pathname = '/postgres'
  const client = new pg.Client({ connectionString: maintenance.href })
  await client.connect()
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(DATABASE)}`)
  } catch (error) {
    if ((error as { code?: string }).code !== '42P04') throw error // duplicate_database: another process was faster
  } finally {
    await client.end()
  }
}

async function lastPort(places: ClusterPlaces): Promise<number> {
  return Number(await readFile(join(places.base, 'port'), 'utf8').catch(() => '0')) || 0
}

/** The wanted loopback port if it is free (clients that know it come back), else any free one. */
async function freePort(wanted: number): Promise<number> {
  for (const port of wanted === 0 ? [0] : [wanted, 0]) {
    const got = await new Promise<number | undefined>((resolve) => {
      const probe = createServer()
      probe.once('error', () => resolve(undefined))
      probe.listen(port, '127.0.0.1', () => {
        const address = probe.address()
        probe.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
      })
    })
    if (got !== undefined) return got
  }
  throw new Error('no free loopback port')
}

async function logEnd(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).slice(-2000)
}
