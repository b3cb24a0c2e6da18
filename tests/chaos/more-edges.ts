/** A further edge process beside the one of a running platform: same configuration and NATS, an address of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { steadyPort } from '@tandem/testing/ports.ts'
import { eventually, type Platform } from '../e2e/platform.ts'

const main = resolve(import.meta.dirname, '../../services/edge-proxy/src/main.ts')

export interface MoreEdge {
  readonly node: string
  readonly address: string
  readonly health: string
  readonly pid: number
  /** What it has said, for the message of a failure. */
  said(): string
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>
}

/** `node` keeps its data folder: the same name again is the same edge after a restart. Ready when it resolves. */
export async function startMoreEdge(
  platform: Platform,
  node: string,
  address: string,
  environment: Record<string, string> = {},
): Promise<MoreEdge> {
  const data = join(platform.folder, node)
  await mkdir(data, { recursive: true })
  const { nats } = JSON.parse(await readFile(join(platform.data, 'run', 'state.json'), 'utf8')) as { nats: string }
  const users = await readFile(join(platform.data, 'run', 'nats.conf'), 'utf8')
  const password = /user: "edge-proxy", password: "([^"]+)"/.exec(users)?.[1]
  if (password === undefined) throw new Error('the NATS configuration has no user edge-proxy')
  const port = await steadyPort()
  const health = `http://127.0.0.1:${port}`
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
    env: {
      PATH: process.env.PATH,
      ...platform.secrets,
      ...environment,
      NATS_URL: nats,
      NATS_USER: 'edge-proxy',
      NATS_PASSWORD: password,
      HEALTH_PORT: String(port),
      TANDEM_DATA: data,
      TANDEM_NODE: node,
      TANDEM_EDGE_ADDRESS: address,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (d: Buffer) => (text = (text + d).slice(-50_000)))
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (!over(child)) {
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    }
    return child.exitCode
  }
  const edge: MoreEdge = {
    node,
    address,
    health,
    pid: child.pid as number,
    said: () => text,
    kill: async () => void (await end('SIGKILL')),
    stop: async () => await end('SIGTERM'),
  }
  await eventually(`edge ${node} is ready`, async () => await isReady(child, health), 60_000).catch(async (error) => {
    await edge.kill()
    throw new Error(`${String(error)}\n${text}`)
  })
  return edge
}

const over = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

async function isReady(child: ChildProcess, health: string): Promise<boolean> {
  if (over(child)) throw new Error('it ended')
  return (await fetch(`${health}/readyz`)).status === 200
}

/** Calls that are up at the edge behind this health port. */
export async function callsAt(health: string): Promise<number> {
  const text = await (await fetch(`${health}/metrics`)).text()
  return Number(/^tandem_edge_calls (\d+)$/m.exec(text)?.[1] ?? Number.NaN)
}
