import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bus } from '@tandem/bus/bus.ts'
import { type Revision, writeRevision } from '@tandem/config/revision.ts'
import { CallEnded, type LegRecord } from '@tandem/contracts/call.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { type Database, openDatabase } from '@tandem/store/database.ts'
import { type EmbeddedServer, eraseEmbedded, startEmbedded } from '@tandem/store/embedded.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'

export const CONFIGURATION = `
version: 1
domain: acme.example
country: US
timeZone: America/Los_Angeles
edge:
  listen:
    inside:  { url: "udp://127.0.0.1:5060" }
    carrier: { url: "udp://127.0.0.1:5070" }
  media: { relay: embedded, address: 127.0.0.1, ports: "20000-20999" }
dialPlans:
  us: { rules: [{ name: ten-digit, match: '^(\\d{10})$', to: '+1$1' }] }
sites:
  hq: { networks: ["127.0.0.1/32"], dialPlan: us, location: lobby }
policies:
  staff: { usages: [national] }
routes:
  - { name: north-america, match: '^\\+1\\d{10}$', usages: [national], trunks: [itsp-a, itsp-b] }
trunks:
  itsp-a: { to: ["sip:127.0.0.1:5080"], from: ["127.0.0.1:5080"], listener: carrier, emergency: true, cost: minutes }
  itsp-b: { to: ["sip:127.0.0.1:5090"], from: ["127.0.0.1:5090"], listener: carrier, emergency: true, cost: bandwidth }
users:
  alice: { did: "+14255551001", extension: "1001", mobile: "+12065550142", site: hq, policy: staff, costCentre: sales, password: { env: ALICE_PASSWORD } }
locations:
  lobby: { country: US, A1: WA, A3: Redmond, HNO: "15010", PRD: NE, RD: "36th", STS: St, PC: "98052" }
emergency: { numbers: ["911"], trunks: [itsp-a, itsp-b] }
rateDecks:
  minutes:   { kind: per-minute, currency: USD, file: rates/a.csv, increments: "6/6", rounding: half-up, decimals: 4 }
  bandwidth: { kind: bandwidth, currency: USD, commit: 5Mbit/s, increment: 1Mbit/s, price: "12.50", percentile: 95, burst: "18.00" }
prices:
  sales: { deck: minutes, markup: 10% }
`
export const DECK =
  'prefix,name,connect,perMinute,from,to\n1,North America,0,0.0100,2024-01-01,\n1206,Seattle,0.01,0.0175,,\n'

export const REVISION: Revision = {
  revision: 1,
  by: 'test',
  at: '2026-01-01T00:00:00Z',
  why: 'test',
  source: [{ path: 'tandem.yaml', text: CONFIGURATION }],
  decks: { 'rates/a.csv': DECK },
}

export interface Platform {
  nats: PrivateNats
  edge: Bus
  console: Bus
  server: EmbeddedServer
  dataFolder: string
  openDatabase(): Promise<Database>
  /** The server after it was killed. */
  startDatabaseAgain(): Promise<void>
  close(): Promise<void>
}

export const quietLog = createLogger({ service: 'billing', level: process.env.LOG_LEVEL ?? 'silent' })

export async function startPlatform(): Promise<Platform> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'tandem-billing-'))
  const [nats, first] = await Promise.all([startPrivateNats(), startEmbedded({ dataFolder })])
  let server = first
  const console = await nats.bus('console')
  const edge = await nats.bus('edge-proxy')
  await (await console.bucket('config')).put('current', writeRevision(REVISION))
  return {
    nats,
    edge,
    console,
    get server() {
      return server
    },
    dataFolder,
    openDatabase: () => openDatabase({ url: server.url, onConnectionLost: () => {} }),
    startDatabaseAgain: async () => {
      server = await startEmbedded({ dataFolder })
    },
    close: async () => {
      await nats.close()
      await eraseEmbedded({ dataFolder })
      rmSync(dataFolder, { recursive: true, force: true })
    },
  }
}

const START = Date.UTC(2026, 10, 23, 18, 0, 0)

/** Both legs of call `n`: alice's, and the trunk's of 61 s with G.711 both ways. */
export function callOf(n: number, trunk = 'itsp-a'): [LegRecord, LegRecord] {
  const startedAt = new Date(START + n * 10).toISOString()
  const answeredAt = new Date(START + n * 10 + 2000).toISOString()
  const common = {
    callId: `call-${n}`,
    seq: 4,
    edge: 'edge-1',
    at: startedAt,
    user: 'alice',
    costCentre: 'sales',
    from: '+14255551001',
    dialled: '2065550100',
    to: '+12065550100',
    emergency: false,
    attempt: 1,
    sipCallId: `${n}@acme.example`,
    startedAt,
    answeredAt,
    endedAt: new Date(START + n * 10 + 63_000).toISOString(),
    ringingMs: 180.5,
    setupMs: 2000.25,
    durationMs: 61_000.75,
    endedBy: 'caller' as const,
    sipStatus: 200,
    q850: 16,
    codec: 'PCMU',
    estimated: false,
    media: {
      received: { packets: 3050, bytes: 610_000, lost: 0, lossPercent: 0, jitterMs: 0.5 },
      sent: {
        packets: 3050,
        bytes: 610_000,
        lost: 31,
        lossPercent: 1.02,
        jitterMs: 2,
        mos: 4.3,
        mosModel: 'g107-simplified-cq',
      },
      rtcpReceived: 12,
      rtcpSent: 12,
      roundTripMs: 41.5,
    },
  }
  return [
    { ...common, legId: `leg-${n}-a`, role: 'caller', party: { kind: 'user', user: 'alice' } },
    { ...common, legId: `leg-${n}-b`, role: 'callee', party: { kind: 'trunk', trunk }, sent: '12065550100' },
  ]
}

/** Records legs as the edge does: again and again until the stream has them. */
export async function end(edge: Bus, ...legs: LegRecord[]): Promise<void> {
  const waiting = [...legs]
  const one = async (): Promise<void> => {
    for (let leg = waiting.shift(); leg !== undefined; leg = waiting.shift()) {
      const record = leg
      await until('recorded', async () =>
        edge.record(CallEnded, record, { messageId: `${record.legId}:${record.seq}` }).catch(() => undefined),
      )
    }
  }
  await Promise.all(Array.from({ length: 64 }, one))
}

export async function until<T>(
  what: string,
  read: () => Promise<T | undefined | false>,
  withinMs = 20_000,
): Promise<T> {
  const end = performance.now() + withinMs
  for (;;) {
    const got = await read()
    if (got !== undefined && got !== false) return got
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`)
    await new Promise((done) => setTimeout(done, 25))
  }
}
