import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { type Binaries, ROOT_BASE, type ServerUser } from './embedded-binaries.ts'
import { findRunning } from './embedded-process.ts'

const run = promisify(execFile)

/** Superuser and database of an embedded server. */
export const OWNER = 'tandem'
export const DATABASE = 'tandem'

/** Where things are for one data folder. */
export interface ClusterPlaces {
  /** Holds data, log and the settings of the last start; as root outside the data folder. */
  base: string
  data: string
  log: string
  passwordFile: string
}

export function clusterPlaces(dataFolder: string): ClusterPlaces {
  const folder = existsSync(dataFolder) ? realpathSync(dataFolder) : resolve(dataFolder)
  const base =
    process.getuid?.() === 0
      ? join(ROOT_BASE, createHash('sha256').update(folder).digest('hex').slice(0, 16))
      : join(folder, 'postgres')
  return {
    base,
    data: join(base, 'data'),
    log: join(base, 'postgres.log'),
    passwordFile: join(folder, 'secrets', 'postgres-password'),
  }
}

/**
 * As root clusters live outside their data folders. Those of data folders in the temporary directory that are gone
 * (tests, trials) are removed here; any other is left alone: its folder may only be unmounted.
 */
export async function removeAbandoned(): Promise<void> {
  if (process.getuid?.() !== 0) return
  for (const name of await readdir(ROOT_BASE).catch(() => [])) {
    const base = join(ROOT_BASE, name)
    const folder = (await readFile(join(base, 'data-folder.txt'), 'utf8').catch(() => '')).trim()
    if (!folder.startsWith(`${realpathSync(tmpdir())}/`) || existsSync(folder)) continue
    if ((await findRunning(join(base, 'data'))) === undefined) await rm(base, { recursive: true, force: true })
  }
}

/** Makes the cluster unless it is there; gives the owner's password. */
export async function prepareCluster(
  dataFolder: string,
  places: ClusterPlaces,
  binaries: Binaries,
  user: ServerUser | undefined,
): Promise<string> {
  await mkdir(join(dataFolder, 'secrets'), { recursive: true, mode: 0o700 })
  await mkdir(places.base, { recursive: true, mode: 0o755 })
  if (user !== undefined) {
    await chmod(ROOT_BASE, 0o755)
    await chown(places.base, user.uid, user.gid)
    await writeFile(join(places.base, 'data-folder.txt'), `${resolve(dataFolder)}\n`)
  }
  const { password, fresh } = await readOrMakePassword(places.passwordFile)
  if (fresh && existsSync(places.data)) await setAside(places.data)
  if (!existsSync(join(places.data, 'PG_VERSION'))) await initialise(places, binaries, user, password)
  return password
}

async function readOrMakePassword(file: string): Promise<{ password: string; fresh: boolean }> {
  try {
    const password = randomBytes(24).toString('base64url')
    await writeFile(file, `${password}\n`, { mode: 0o600, flag: 'wx' })
    return { password, fresh: true }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return { password: (await readFile(file, 'utf8')).trim(), fresh: false }
  }
}

/** The data folder was removed by hand, its cluster (kept elsewhere as root) was not: one such cluster is kept. */
async function setAside(data: string): Promise<void> {
  await rm(`${data}.previous`, { recursive: true, force: true })
  await rename(data, `${data}.previous`)
}

async function initialise(
  places: ClusterPlaces,
  binaries: Binaries,
  user: ServerUser | undefined,
  password: string,
): Promise<void> {
  const mark = `${process.pid}.${Date.now()}`
  const unfinished = join(places.base, `data.${mark}`)
  const passwordFile = join(places.base, `password.${mark}`)
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (user !== undefined) await chown(passwordFile, user.uid, user.gid)
  const options = [
    `--pgdata=${unfinished}`,
    `--username=${OWNER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // PostgreSQL's own collation: the same order on every system, whatever locales it has.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ]
  try {
    await run(binaries.initdb, options, { ...user, cwd: places.base, env: serverEnvironment() })
    await rename(unfinished, places.data)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    if (existsSync(join(places.data, 'PG_VERSION'))) return // another process was faster
    const { stderr, message } = error as Error & { stderr?: string }
    throw new Error(`initdb failed: ${(stderr ?? message).trim().slice(-2000)}`)
  } finally {
    await rm(passwordFile, { force: true })
  }
}

/** No PG* variable and no secret of ours reaches the server. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
}
