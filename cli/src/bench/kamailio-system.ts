/** The peer: Kamailio with dialog, dial plan, prefix routing and CDRs into SQLite, where it is installed. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { steadyPort } from '@tandem/testing/ports.ts'
import { Failure } from '../failure.ts'
import { benchPrefixes } from './numbers.ts'
import type { System } from './system.ts'

const configurationOf = (name: 'trunk' | 'registrar') =>
  fileURLToPath(new URL(`../../../tests/bench/kamailio/${name}.cfg`, import.meta.url))
/** Two find the SQLite database locked by each other, and lose records. */
const WORKERS = 1

interface Installed {
  program: string
  /** the folder of its database definitions */
  schema: string
}

export type FoundKamailio = ({ kind: 'found' } & Installed) | { kind: 'missing'; why: string }

export function findKamailio(): FoundKamailio {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  const program = folders.map((folder) => join(folder, 'kamailio')).find((path) => existsSync(path))
  if (!program) return { kind: 'missing', why: 'Kamailio is not installed (Debian: kamailio, kamailio-sqlite-modules)' }
  const module = globSync('/usr{,/local}/lib{,64}/{,*/}kamailio/modules/db_sqlite.so')[0]
  const schema = ['/usr/share', '/usr/local/share'].map((s) => join(s, 'kamailio/db_sqlite')).find((s) => existsSync(s))
  if (!module || !schema) {
    return { kind: 'missing', why: "Kamailio's SQLite module is not installed (Debian: kamailio-sqlite-modules)" }
  }
  const configuration = configurationOf('trunk')
  if (!existsSync(configuration)) return { kind: 'missing', why: `${configuration} is not there` }
  return { kind: 'found', program, schema }
}

export async function startKamailio(installed: Installed, folder: string, carrierPort: number): Promise<System> {
  const home = join(folder, 'kamailio')
  mkdirSync(home, { recursive: true })
  const file = join(home, 'kamailio.sqlite')
  const database = await makeDatabase(file, installed.schema, carrierPort)
  const { target, pid, stop } = await run(installed.program, 'trunk', home, `DBURL="sqlite:///${file}"`)
  const count = database.prepare('SELECT count(*) AS calls FROM acc_cdrs')
  return {
    name: `Kamailio ${version(installed.program)}`,
    target,
    roots: () => [{ name: 'kamailio', pid }],
    recorded: async () => Number(count.get()?.calls),
    stop: async () => {
      await stop()
      database.close()
    },
  }
}

/** A registrar that keeps bindings in memory; `password` is everybody's. It records no calls. */
export async function startRegistrar(installed: Installed, folder: string, password: string): Promise<System> {
  const home = join(folder, 'kamailio')
  mkdirSync(home, { recursive: true })
  const { target, pid, stop } = await run(installed.program, 'registrar', home, `SECRET="${password}"`)
  return {
    name: `Kamailio ${version(installed.program)}`,
    target,
    roots: () => [{ name: 'kamailio', pid }],
    recorded: async () => 0,
    stop,
  }
}

async function run(program: string, name: 'trunk' | 'registrar', home: string, define: string) {
  const target = `127.0.0.1:${await steadyPort()}`
  const child = spawn(
    program,
    [
      ...['-f', configurationOf(name), '-l', `udp:${target}`, '-n', String(WORKERS), '-A', define],
      ...['-DD', '-E', '-x', 'fm', '-m', '512', '-M', '16', '-Y', home, '-P', join(home, 'pid')],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-20_000)
  })
  try {
    await listening(child, Number(target.split(':')[1]))
  } catch (error) {
    await end(child)
    throw new Failure(
      `Kamailio does not start (${(error as Error).message})`,
      '--no-peer measures without it.',
      said.trim().split('\n').slice(-10),
    )
  }
  return { target, pid: child.pid as number, stop: () => end(child) }
}

async function makeDatabase(file: string, schema: string, carrierPort: number): Promise<DatabaseSync> {
  const { DatabaseSync } = await import('node:sqlite') // loads much: not for the other commands
  const database = new DatabaseSync(file)
  for (const name of ['standard', 'acc', 'dialplan', 'mtree']) {
    database.exec(readFileSync(join(schema, `${name}-create.sql`), 'utf8'))
  }
  database.exec(`
    PRAGMA journal_mode = WAL;
    ALTER TABLE acc ADD COLUMN caller VARCHAR(64) DEFAULT '';
    ALTER TABLE acc ADD COLUMN called VARCHAR(64) DEFAULT '';
    INSERT INTO dialplan (dpid, pr, match_op, match_exp, match_len, subst_exp, repl_exp, attrs) VALUES
      (1, 1, 1, '^9[2-9][0-9]{9}$',   0, '^9(.*)$',    '1\\1', 'ten-digit'),
      (1, 2, 1, '^91[2-9][0-9]{9}$',  0, '^9(.*)$',    '\\1',  'long-distance'),
      (1, 3, 1, '^9011[0-9]+$',       0, '^9011(.*)$', '\\1',  'international');
    BEGIN`)
  const insert = database.prepare('INSERT INTO mtree (tprefix, tvalue) VALUES (?, ?)')
  for (const prefix of ['1', ...benchPrefixes]) insert.run(prefix, `sip:127.0.0.1:${carrierPort}`)
  database.exec('COMMIT')
  return database
}

/** Binding the port to see whether it is taken could take it from Kamailio: the kernel's list is asked. */
async function listening(child: ChildProcess, port: number): Promise<void> {
  const entry = new RegExp(`^ *\\d+: [0-9A-F]{8}:${port.toString(16).toUpperCase().padStart(4, '0')} `, 'm')
  const until = performance.now() + 20_000
  while (!entry.test(readFileSync('/proc/net/udp', 'latin1'))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`status ${child.exitCode}`)
    if (performance.now() > until) throw new Error('no socket after 20 s')
    await new Promise((done) => setTimeout(done, 50))
  }
}

function version(program: string): string {
  return /version: kamailio (\S+)/.exec(execFileSync(program, ['-v'], { encoding: 'utf8' }))?.[1] ?? ''
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 5000)
  await gone
  clearTimeout(late)
}
