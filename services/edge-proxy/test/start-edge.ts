/**
 * An edge in this process for tests: free ports, a private nats-server (or one that is given), real sockets.
 *
 *   const edge = await startEdgeForTest()
 *   edge.port('inside'); edge.nats.bus('routing'); …; await edge.close()
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bus } from '@tandem/bus/bus.ts'
import { type Configuration, resolveConfiguration } from '@tandem/config/defaults.ts'
import type { ConfigurationDocument } from '@tandem/config/schema.ts'
import { createLogger } from '@tandem/observability/log.ts'
import type { TransactionLayerParts } from '@tandem/sip/transaction/layer.ts'
import type { TimeSource } from '@tandem/sip/transaction/timer-wheel.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { mediaPorts } from '@tandem/testing/ports.ts'
import type { Calls, Edge } from '../src/edge.ts'
import { type EdgeCore, startEdgeCore } from '../src/edge-core.ts'

export interface TestEdge {
  readonly core: EdgeCore
  readonly nats: PrivateNats
  readonly bus: Bus
  readonly env: Record<string, string>
  /** The port that a listener really has. */
  port(listener: string): number
  /** Changes the configuration of the running edge. */
  apply(document: ConfigurationDocument): Promise<void>
  close(): Promise<void>
}

export interface TestEdgeOptions {
  /** Default: `testConfiguration()`. */
  readonly document?: ConfigurationDocument
  /** Given and left open, else one is started and closed with the edge. */
  readonly nats?: PrivateNats
  /** Default: INVITEs get 501. */
  readonly createCalls?: (edge: Edge) => Calls
  readonly env?: Record<string, string>
  readonly times?: TransactionLayerParts['times']
  readonly time?: TimeSource
  readonly node?: string
  readonly trunkLeaseMs?: number
}

/** Passwords of the users in `testConfiguration`. */
export const PASSWORDS = { ALICE_PASSWORD: 'alice-secret', BOB_PASSWORD: 'bob-secret', ITSP_PASSWORD: 'itsp-secret' }

export async function startEdgeForTest(options: TestEdgeOptions = {}): Promise<TestEdge> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-edge-'))
  const nats = options.nats ?? (await startPrivateNats())
  const bus = await nats.bus('edge-proxy')
  const closeBus = async () => {
    if (options.nats) await bus.close()
    else await nats.close()
    await rm(folder, { recursive: true, force: true })
  }
  const env = { ...PASSWORDS, TANDEM_DATA: folder, ...options.env }
  const core = await startEdgeCore({
    node: options.node ?? 'edge-test',
    bus,
    log: createLogger({ service: 'edge-proxy', level: process.env.LOG_LEVEL ?? 'silent' }),
    env,
    configuration: resolveConfiguration(options.document ?? testConfiguration()),
    revision: 1,
    createCalls: options.createCalls ?? noCalls,
    ...(options.times ? { times: options.times } : {}),
    ...(options.time ? { time: options.time } : {}),
    ...(options.trunkLeaseMs === undefined ? {} : { trunkLeaseMs: options.trunkLeaseMs }),
  }).catch(async (error: unknown) => {
    await closeBus()
    throw error
  })
  let revision = 1
  return {
    core,
    nats,
    bus,
    env,
    port(listener) {
      const found = core.listeners().find((l) => l.name === listener)
      if (!found) throw new Error(`no listener ${listener}`)
      return found.port
    },
    async apply(document) {
      await core.apply(resolveConfiguration(document), ++revision)
    },
    async close() {
      await core.close()
      await closeBus()
    },
  }
}

let media: string | undefined
/** Those that edges of this process share when they are not told others. */
function ownMedia(): string {
  if (media === undefined) {
    const first = mediaPorts(400)
    media = `${first}-${first + 399}`
  }
  return media
}

/** Ports are chosen by the system; alice and bob have passwords in `PASSWORDS`. */
export function testConfiguration(more: Partial<ConfigurationDocument> = {}): ConfigurationDocument {
  return {
    version: 1,
    domain: 'acme.example',
    country: 'US',
    edge: {
      listen: {
        inside: { url: 'udp://127.0.0.1:0', digest: ['md5', 'sha-256'] },
        'inside-tcp': { url: 'tcp://127.0.0.1:0' },
        carrier: { url: 'udp://127.0.0.1:0' },
      },
      media: { relay: 'embedded', address: '127.0.0.1', ports: ownMedia() },
    },
    sites: { hq: { networks: ['127.0.0.1/32'], dialPlan: 'us-hq' } },
    dialPlans: {
      'us-hq': {
        externalPrefix: '9',
        rules: [
          { name: 'extension', match: '^(1\\d{3})$', to: '+1425555$1', internal: true },
          { name: 'ten-digit', match: '^(\\d{10})$', to: '+1$1' },
        ],
      },
    },
    policies: { staff: { usages: ['national'] } },
    routes: [],
    trunks: {},
    users: {
      alice: {
        did: '+14255551001',
        extension: '1001',
        site: 'hq',
        policy: 'staff',
        mobile: '+12065550142',
        password: { env: 'ALICE_PASSWORD' },
      },
      bob: { did: '+14255551002', extension: '1002', site: 'hq', policy: 'staff', password: { env: 'BOB_PASSWORD' } },
    },
    emergency: { numbers: ['911', '112'], test: ['933'], trunks: ['itsp-a'] },
    ...more,
  }
}

export function noCalls(): Calls {
  return {
    onInvite: (transaction) => void transaction.reply(501),
    onInDialog: () => false,
    onAck() {},
    status: () => ({ calls: 0, legs: 0, outbox: 0 }),
    close: async () => {},
  }
}

export type { Configuration }
