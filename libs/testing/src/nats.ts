/**
 * A private nats-server with JetStream, the platform's users, streams and buckets: for tests, on a free port, with its
 * own folder. `crash()` is kill -9; `start()` brings it back on the same port with the same data.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bus, type BusSettings, connectBus } from '@tandem/bus/bus.ts'
import { natsServerConfig } from '@tandem/bus/server-config.ts'
import { makeStreams } from '@tandem/bus/streams.ts'
import { type ServiceName, serviceNames } from '@tandem/contracts/contract.ts'
import { steadyPort } from './ports.ts'

export interface PrivateNats {
  /** nats://127.0.0.1:port */
  readonly url: string
  readonly port: number
  readonly passwords: Readonly<Record<ServiceName, string>>
  readonly pid: number
  /** A bus of this service with this service's permissions; closed by `close()` at the latest. */
  bus(service: ServiceName, more?: Partial<BusSettings>): Promise<Bus>
  /** kill -9. */
  crash(): Promise<void>
  /** After `crash()`: same port, same data. */
  start(): Promise<void>
  close(): Promise<void>
}

export async function startPrivateNats(options: { streams?: boolean } = {}): Promise<PrivateNats> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-nats-'))
  const passwords = Object.fromEntries(serviceNames.map((s) => [s, `${s}-secret`])) as Record<ServiceName, string>
  const buses: Bus[] = []
  // not one that the system hands out: after a crash() somebody else could have it before start()
  const port = await steadyPort()
  let child: ChildProcess

  const start = async (): Promise<void> => {
    const config = join(folder, 'nats.conf')
    await writeFile(
      config,
      natsServerConfig({ host: '127.0.0.1', port, storeDir: join(folder, 'js'), passwords, portsFileDir: folder }),
    )
    child = spawn('nats-server', ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    await untilReady(child, folder)
  }
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
  const bus = async (service: ServiceName, more: Partial<BusSettings> = {}): Promise<Bus> => {
    const made = await connectBus({
      service,
      url: `nats://127.0.0.1:${port}`,
      user: service,
      password: passwords[service],
      ...more,
    })
    buses.push(made)
    return made
  }

  await start()
  if (options.streams ?? true) {
    const console = await bus('console')
    await makeStreams(console.connection)
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid as number
    },
    passwords,
    bus,
    crash: () => stop('SIGKILL'),
    start,
    close: async () => {
      await Promise.allSettled(buses.map((b) => b.close()))
      await stop('SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** nats-server writes its ports into a file when it listens. */
async function untilReady(child: ChildProcess, folder: string): Promise<void> {
  const said: Buffer[] = []
  child.stderr?.on('data', (d: Buffer) => {
    if (said.length < 100) said.push(d)
  })
  for (let tries = 0; tries < 1200; tries++) {
    if (child.exitCode !== null) throw new Error(`nats-server ended: ${Buffer.concat(said).toString()}`)
    const file = (await readdir(folder)).find((f) => f.endsWith(`_${child.pid}.ports`))
    if (file && /"nats":\s*\[\s*"nats:/.test(await readFile(join(folder, file), 'utf8'))) return
    await new Promise((done) => setTimeout(done, 25))
  }
  throw new Error(`nats-server is not ready after 30 s: ${Buffer.concat(said).toString()}`)
}
