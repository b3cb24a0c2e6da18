/** The private nats-server: a free loopback port, JetStream in the data folder, one user per service. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { natsServerConfig } from '@tandem/bus/server-config.ts'
import { type ServiceName, serviceNames } from '@tandem/contracts/contract.ts'
import { Failure } from '../failure.ts'
import type { DataFolder } from './data-folder.ts'
import type { PartPlan } from './part.ts'

export interface NatsPlan extends PartPlan {
  /** known when it is ready */
  url(): string
  passwords: Readonly<Record<ServiceName, string>>
}

export function planNats(folder: DataFolder): NatsPlan {
  const config = join(folder.run, 'nats.conf')
  const log = join(folder.logs, 'nats.log')
  const passwords = Object.fromEntries(
    serviceNames.map((service) => [service, randomBytes(18).toString('hex')]),
  ) as Record<ServiceName, string>
  let port = -1
  const write = () => {
    const settings = { host: '127.0.0.1', port, storeDir: folder.nats, passwords, portsFileDir: folder.run }
    writeFileSync(config, natsServerConfig(settings), { mode: 0o600 })
  }
  return {
    name: 'nats',
    command: findNatsServer(),
    // After a crash it comes back on the port that the services know.
    arguments: () => {
      write()
      return ['-c', config]
    },
    environment: () => ({ PATH: process.env.PATH, HOME: process.env.HOME }),
    log,
    stopSignal: 'SIGTERM',
    stopWithinMs: 8000,
    url: () => `nats://127.0.0.1:${port}`,
    passwords,
    async ready(signal, pid) {
      const started = performance.now()
      for (;;) {
        signal.throwIfAborted()
        const found = readPort(folder.run, pid)
        if (found !== null) {
          port = found
          return
        }
        if (performance.now() - started > 30_000) throw new Error('no port after 30 s')
        await new Promise((done) => setTimeout(done, 20))
      }
    },
  }
}

/** nats-server writes its ports into a file of its own when it listens. */
function readPort(folder: string, pid: number): number | null {
  const name = readdirSync(folder).find((f) => f.endsWith(`_${pid}.ports`))
  if (name === undefined) return null
  const text = readFileSync(join(folder, name), 'utf8')
  const port = /"nats":\s*\[\s*"nats:\/\/[^"]*:(\d+)"/.exec(text)?.[1]
  return port === undefined ? null : Number(port)
}

/** What a nats-server that was killed left in the run folder. */
export function removeNatsFiles(folder: DataFolder): void {
  for (const name of readdirSync(folder.run)) {
    if (name.endsWith('.ports') || name === 'nats.conf') rmSync(join(folder.run, name), { force: true })
  }
}

function findNatsServer(): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin', '/opt/homebrew/bin']
  const found = folders.map((f) => join(f, 'nats-server')).find((path) => existsSync(path))
  if (found) return found
  throw new Failure(
    'nats-server is not installed',
    'Run "node scripts/setup.mjs", or install it (Debian/Ubuntu: apt-get install nats-server, macOS: brew install nats-server), or set NATS_URL.',
  )
}
