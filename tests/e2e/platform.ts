/**
 * The whole platform as a user starts it: `tandem up` with a configuration of its own, free ports and a data folder that
 * goes with it. Everything is real; nothing is shared with another run.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { mediaPorts, steadyPort } from '@tandem/testing/ports.ts'
import { stringify } from 'yaml'

const root = resolve(import.meta.dirname, '../..')

export interface Platform {
  readonly folder: string
  readonly data: string
  readonly ports: Ports
  readonly api: string
  /** Passwords of users and trunks by environment name. */
  readonly secrets: Readonly<Record<string, string>>
  /** Runs `tandem …` against this platform. */
  tandem(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>
  /** The same with --json, parsed. */
  tandemJson<T>(...args: string[]): Promise<T>
  get<T>(path: string): Promise<T>
  /** pid of a part: nats, postgres, edge-proxy, routing … */
  pid(part: string): Promise<number>
  /** Health port of a service. */
  healthUrl(part: string): Promise<string>
  log(part: string): Promise<string>
  stop(): Promise<number>
}

export interface Ports {
  inside: number
  tls: number
  carrier: number
  carrierA: number
  carrierB: number
  api: number
  mediaFrom: number
}

const MEDIA_PORTS = 2000

export async function pickPorts(): Promise<Ports> {
  return {
    inside: await steadyPort(),
    tls: await steadyPort(),
    carrier: await steadyPort(),
    carrierA: await steadyPort(),
    carrierB: await steadyPort(),
    api: await steadyPort(),
    mediaFrom: mediaPorts(MEDIA_PORTS),
  }
}

export type Document = Record<string, unknown>

/** Two users, two carriers without limits: what most tests need. */
export function plainDocument(p: Ports): Document {
  return {
    version: 1,
    domain: 'acme.example',
    country: 'US',
    timeZone: 'America/Los_Angeles',
    edge: {
      listen: {
        inside: { url: `udp://127.0.0.1:${p.inside}`, digest: ['md5', 'sha-256'] },
        'inside-tcp': { url: `tcp://127.0.0.1:${p.inside}` },
        remote: { url: `tls://127.0.0.1:${p.tls}`, certificate: 'certs/edge.pem', privateKey: 'certs/edge.key' },
        carrier: { url: `udp://127.0.0.1:${p.carrier}` },
      },
      media: { relay: 'embedded', address: '127.0.0.1', ports: `${p.mediaFrom}-${p.mediaFrom + MEDIA_PORTS - 1}` },
    },
    sites: { hq: { networks: ['127.0.0.1/32'], dialPlan: 'us-hq', location: 'hq-lobby' } },
    dialPlans: {
      'us-hq': {
        externalPrefix: '9',
        rules: [
          { name: 'extension', match: '^(1\\d{3})$', to: '+1425555$1', internal: true },
          { name: 'ten-digit', match: '^(\\d{10})$', to: '+1$1' },
          { name: 'long-distance', match: '^(1\\d{10})$', to: '+$1' },
          { name: 'international', match: '^011(\\d+)$', to: '+$1' },
        ],
      },
    },
    policies: { staff: { usages: ['national'] }, executive: { usages: ['national', 'international'] } },
    routes: [
      { name: 'north-america', match: '^\\+1\\d{10}$', usages: ['national'], trunks: ['itsp-a', 'itsp-b'] },
      { name: 'world', match: '^\\+', usages: ['international'], trunks: ['itsp-b'] },
    ],
    trunks: {
      'itsp-a': {
        to: [`sip:127.0.0.1:${p.carrierA}`],
        from: [`127.0.0.1:${p.carrierA}`],
        listener: 'carrier',
        emergency: true,
        cost: 'minutes',
        translate: { outbound: { called: [{ match: '^\\+(.*)$', to: '$1' }] } },
      },
      'itsp-b': {
        to: [`sip:127.0.0.1:${p.carrierB}`],
        from: [`127.0.0.1:${p.carrierB}`],
        listener: 'carrier',
        emergency: true,
        cost: 'bandwidth',
      },
    },
    users: {
      alice: {
        did: '+14255551001',
        extension: '1001',
        site: 'hq',
        policy: 'executive',
        location: 'hq-lobby',
        costCentre: 'sales',
        password: { env: 'ALICE_PASSWORD' },
      },
      bob: {
        did: '+14255551002',
        extension: '1002',
        site: 'hq',
        policy: 'staff',
        costCentre: 'support',
        password: { env: 'BOB_PASSWORD' },
      },
    },
    locations: {
      'hq-lobby': {
        country: 'US',
        A1: 'WA',
        A3: 'Redmond',
        HNO: '15010',
        PRD: 'NE',
        RD: '36th',
        STS: 'St',
        PC: '98052',
        FLR: '1',
        ROOM: 'Lobby',
      },
    },
    emergency: { numbers: ['911', '112'], test: ['933'], trunks: ['itsp-a', 'itsp-b'] },
    rateDecks: {
      minutes: {
        kind: 'per-minute',
        currency: 'USD',
        file: 'rates/minutes.csv',
        increments: '6/6',
        rounding: 'half-up',
        decimals: 4,
      },
      bandwidth: {
        kind: 'bandwidth',
        currency: 'USD',
        commit: '5Mbit/s',
        increment: '1Mbit/s',
        price: '12.50',
        percentile: 95,
        burst: '18.00',
      },
    },
  }
}

const secrets = { ALICE_PASSWORD: 'alice-password', BOB_PASSWORD: 'bob-password', ITSP_B_PASSWORD: 'itsp-b-password' }

export async function startPlatform(
  document: (ports: Ports) => Document = plainDocument,
  environment: Record<string, string> = {},
  /** Before anything of Tandem runs: carriers stand before the edge does. */
  beforeStart: (ports: Ports) => Promise<void> = async () => {},
): Promise<Platform> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-e2e-'))
  const data = join(folder, 'data')
  const ports = await pickPorts()
  await beforeStart(ports)
  const file = join(folder, 'tandem.yaml')
  await mkdir(join(folder, 'rates'))
  await writeFile(
    join(folder, 'rates', 'minutes.csv'),
    'prefix,name,connect,perMinute,from,to\n1,North America,0,0.0100,2024-01-01,\n44,United Kingdom,0,0.0200,2024-01-01,\n',
  )
  await writeFile(file, stringify(document(ports)))
  const env = { ...process.env, ...secrets, TANDEM_DATA: data, TANDEM_API: `127.0.0.1:${ports.api}`, ...environment }
  const child = spawn(process.execPath, ['cli/bin/tandem.mjs', 'up', '--config', file, '--data', data], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = await ready(child).catch(async (error: unknown) => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    await rm(folder, { recursive: true, force: true })
    throw error
  })

  const tandem: Platform['tandem'] = async (...args) => await runTandem(args, env)
  const stateOf = async (): Promise<{ parts: { name: string; pid: number; health?: string }[] }> =>
    JSON.parse((await tandem('status', '--json')).stdout)
  const partOf = async (name: string) => {
    const found = (await stateOf()).parts.find((x) => x.name === name)
    if (!found) throw new Error(`no part ${name}`)
    return found
  }
  return {
    folder,
    data,
    ports,
    api: `http://127.0.0.1:${ports.api}`,
    secrets: { ...secrets, ...environment },
    tandem,
    tandemJson: async (...args) => {
      const { code, stdout, stderr } = await tandem(...args, '--json')
      if (code !== 0) throw new Error(`tandem ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`)
      return JSON.parse(stdout)
    },
    get: async (path) => {
      const token = (await readFile(join(data, 'secrets', 'api-token'), 'utf8')).trim()
      const response = await fetch(`http://127.0.0.1:${ports.api}${path}`, {
        headers: { authorization: `Bearer ${token}` },
      })
      if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`)
      return (await response.json()) as never
    },
    pid: async (part) => (await partOf(part)).pid,
    healthUrl: async (part) => (await partOf(part)).health ?? '',
    log: async (part) => await readFile(join(data, 'logs', `${part}.log`), 'utf8'),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        await once(child, 'exit')
      }
      if (process.env.TANDEM_KEEP === '1') console.error(`kept ${folder}`)
      else await rm(folder, { recursive: true, force: true })
      if (child.exitCode !== 0)
        throw new Error(`tandem up ended with ${child.exitCode ?? child.signalCode}:\n${said()}`)
      return child.exitCode
    },
  }
}

/** Waits for the line `ready …`. */
async function ready(child: ChildProcess): Promise<() => string> {
  let text = ''
  const said = (): string => text
  await new Promise<void>((done, fail) => {
    const late = setTimeout(() => fail(new Error(`not ready after 120 s:\n${text}`)), 120_000)
    const hear = (chunk: Buffer): void => {
      text = (text + chunk.toString()).slice(-20_000)
      if (/^ready\b/m.test(text)) {
        clearTimeout(late)
        done()
      }
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('exit', (code) => {
      clearTimeout(late)
      fail(new Error(`tandem up ended with ${code} before it was ready:\n${text}`))
    })
  })
  return said
}

async function runTandem(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['cli/bin/tandem.mjs', ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (d: Buffer) => (stdout += d.toString()))
  child.stderr.on('data', (d: Buffer) => (stderr += d.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? 1, stdout, stderr }
}

/** Polls until `read` gives something, at most `withinMs`. */
export async function eventually<T>(
  what: string,
  read: () => Promise<T | undefined | false>,
  withinMs = 10_000,
): Promise<T> {
  const end = performance.now() + withinMs
  let last: unknown
  for (;;) {
    try {
      const got = await read()
      if (got) return got
    } catch (error) {
      last = error
    }
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}${last ? `: ${String(last)}` : ''}`)
    await new Promise((done) => setTimeout(done, 100))
  }
}
