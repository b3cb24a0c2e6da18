/**
 * A real rtpengine (Debian: rtpengine-daemon) in user space on loopback, with ports of its own. `crash()` is kill -9; `start()` brings it back at the same control address, without its calls.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mediaPorts, steadyPort } from './ports.ts'

/** Why there is none on this machine; undefined when there is. */
export function whyNoRtpengine(): string | undefined {
  const found = spawnSync('rtpengine', ['--version'], { stdio: 'ignore' })
  return found.error === undefined ? undefined : 'rtpengine is not installed: install rtpengine-daemon'
}

export interface Rtpengine {
  /** udp://127.0.0.1:port */
  readonly control: string
  readonly pid: number
  /** Whether this is one of its ports for media. */
  carries(port: number): boolean
  /** Call-ids that it has now. */
  calls(): Promise<readonly string[]>
  crash(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

export interface RtpengineOptions {
  /** Even, the first of `ports` ports for media (default 1000); default: some that no other test is given. */
  readonly firstPort?: number
  readonly ports?: number
  readonly threads?: number
}

export async function startRtpengine(options: RtpengineOptions = {}): Promise<Rtpengine> {
  const port = await steadyPort()
  const ports = options.ports ?? 1000
  const firstPort = options.firstPort ?? mediaPorts(ports)
  const folder = await mkdtemp(join(tmpdir(), 'tandem-rtpengine-'))
  let child: ChildProcess
  const start = async (): Promise<void> => {
    child = spawn(
      'rtpengine',
      [
        '--config-file=none',
        '--interface=127.0.0.1',
        `--listen-ng=127.0.0.1:${port}`,
        '--table=-1',
        '--foreground',
        '--log-stderr',
        '--log-level=3',
        `--port-min=${firstPort}`,
        `--port-max=${firstPort + ports - 1}`,
        `--num-threads=${options.threads ?? 1}`,
        `--pidfile=${join(folder, 'pid')}`,
        '--timeout=3600',
      ],
      { stdio: 'ignore' },
    )
    const until = performance.now() + 20_000
    while ((await ask(port, { command: 'ping' }, 200))?.result !== 'pong') {
      if (child.exitCode !== null) throw new Error(`rtpengine ended with status ${child.exitCode}`)
      if (performance.now() > until) throw new Error('rtpengine does not answer')
    }
  }
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
  await start()
  return {
    control: `udp://127.0.0.1:${port}`,
    get pid() {
      return child.pid as number
    },
    carries: (of) => of >= firstPort && of < firstPort + ports,
    calls: async () => ((await ask(port, { command: 'list' }, 10_000))?.calls as string[] | undefined) ?? [],
    crash: () => stop('SIGKILL'),
    start,
    async close() {
      await stop('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function ask(port: number, command: object, ms: number): Promise<Record<string, unknown> | undefined> {
  const socket = createSocket('udp4')
  let late: NodeJS.Timeout | undefined
  try {
    return await new Promise((done) => {
      late = setTimeout(() => done(undefined), ms)
      socket.on('error', () => setTimeout(() => done(undefined), 50))
      socket.on('message', (bytes) => done(JSON.parse(bytes.toString('utf8').replace(/^\S+ /, ''))))
      socket.connect(port, '127.0.0.1', () => socket.send(`${randomUUID()} ${JSON.stringify(command)}`))
    })
  } finally {
    clearTimeout(late)
    socket.close()
  }
}
