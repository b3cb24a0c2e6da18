/** Edge processes of one configuration on one NATS, each at an address of its own: what a cluster is on one machine. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import type { Bus } from '@tandem/bus/bus.ts'
import { CONFIG_BUCKET, CONFIG_KEY, writeRevision } from '@tandem/config/revision.ts'
import type { ConfigurationDocument } from '@tandem/config/schema.ts'
import { EdgeStatus } from '@tandem/contracts/edge.ts'
import type { PrivateNats } from '@tandem/testing/nats.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { stringify } from 'yaml'
import { PASSWORDS } from './start-edge.ts'

export const WITHIN = 20_000

export interface EdgeProcesses {
  /** Ready when it resolves. The same node again is the same edge after a restart. `natsUrl`: another way to NATS. */
  start(node: string, address: string, natsUrl?: string): Promise<ChildProcess>
  end(child: ChildProcess, signal: NodeJS.Signals): Promise<void>
  /** Calls of each edge by its node. */
  calls(): Promise<Record<string, number>>
  /** So many calls has each. An edge that is late to tell is asked again. */
  callsAre(wanted: Record<string, number>): Promise<void>
  close(): Promise<void>
}

/** Puts the configuration in force. `cluster.secret` may be `{ env: 'CLUSTER_SECRET' }`. */
export async function edgeProcesses(parts: {
  nats: PrivateNats
  console: Bus
  folder: string
  document: ConfigurationDocument
}): Promise<EdgeProcesses> {
  const { nats, console, folder, document } = parts
  const processes = new Set<ChildProcess>()
  const source = [{ path: 'tandem.yaml', text: stringify(JSON.parse(JSON.stringify(document))) }]
  const revision = { revision: 1, by: 'test', at: new Date().toISOString(), why: 'test', source, decks: {} }
  await (await console.bucket(CONFIG_BUCKET)).put(CONFIG_KEY, writeRevision(revision))

  const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
    processes.delete(child)
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  const calls = async () =>
    Object.fromEntries((await console.askAll(EdgeStatus, {}, 200)).map((s) => [s.edge, s.calls]))

  return {
    end,
    calls,
    async callsAre(wanted) {
      let told: Record<string, number> = {}
      const fits = async () => {
        told = await calls()
        return isDeepStrictEqual(told, wanted)
      }
      await until('the calls of each edge', fits).catch(() => assert.deepEqual(told, wanted))
    },
    async start(node, address, natsUrl = nats.url) {
      const data = join(folder, node)
      await mkdir(data, { recursive: true })
      const health = await steadyPort()
      const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
        env: {
          ...{ PATH: process.env.PATH, ...PASSWORDS, CLUSTER_SECRET: 'of these edges' },
          ...{ NATS_URL: natsUrl, NATS_USER: 'edge-proxy', NATS_PASSWORD: nats.passwords['edge-proxy'] },
          ...{ HEALTH_PORT: String(health), TANDEM_DATA: data, TANDEM_NODE: node, TANDEM_EDGE_ADDRESS: address },
          ...(process.env.LOG_LEVEL ? { LOG_LEVEL: process.env.LOG_LEVEL } : {}),
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      processes.add(child)
      let said = ''
      child.stdout?.on('data', (text: Buffer) => {
        said = (said + text).slice(-10_000)
        if (process.env.LOG_LEVEL) process.stderr.write(text)
      })
      await until(`edge ${node} is ready`, async () => {
        const answer = await fetch(`http://127.0.0.1:${health}/readyz`).catch(() => undefined)
        return answer?.status === 200
      }).catch((error: Error) => assert.fail(`${error.message}\n${said}`))
      return child
    },
    async close() {
      for (const child of processes) await end(child, 'SIGKILL')
    },
  }
}

export async function until(what: string, look: () => Promise<boolean> | boolean, ms = WITHIN): Promise<void> {
  const limit = performance.now() + ms
  while (!(await look())) {
    if (performance.now() > limit) assert.fail(`not within ${ms} ms: ${what}`)
    await new Promise((done) => setTimeout(done, 50))
  }
}
