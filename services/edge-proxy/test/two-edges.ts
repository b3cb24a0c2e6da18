/** Two edge processes on one NATS, a carrier and phones: what tests of takeovers kill, stop and ask. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bus } from '@tandem/bus/bus.ts'
import type { ConfigurationDocument } from '@tandem/config/schema.ts'
import { CallAnswered, CallCorrected, CallEnded, type LegRecord } from '@tandem/contracts/call.ts'
import type { Body } from '@tandem/contracts/contract.ts'
import { BINDINGS_BUCKET, type HeldBinding } from '@tandem/contracts/held-binding.ts'
import { CALLS_BUCKET } from '@tandem/contracts/held-call.ts'
import { ResolveRoute, type RoutePlan } from '@tandem/contracts/routing.ts'
import { type Itsp, startItsp } from '@tandem/testing/itsp.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { type Phone, type PhoneParts, startPhone } from '@tandem/testing/phone.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { plan, somePorts, toTrunk } from './call-edge.ts'
import { type EdgeProcesses, edgeProcesses, until, WITHIN } from './edge-processes.ts'
import { testConfiguration } from './start-edge.ts'

/** Addresses of the two. */
export const A = '127.0.0.1'
export const B = '127.0.0.3'

export type Talk = readonly [near: CallHandle, far: CallHandle]

export interface TwoEdges {
  readonly nats: PrivateNats
  readonly itsp: Itsp
  readonly ports: ListenerPorts
  /** As billing, which hears all. */
  readonly billing: Bus
  readonly records: readonly LegRecord[]
  readonly corrections: readonly LegRecord[]
  readonly answers: readonly Body<typeof CallAnswered>[]
  readonly edges: EdgeProcesses
  /** Registered. */
  phoneAt(name: string, address: string, password: string, more?: Partial<PhoneParts>): Promise<Phone>
  talk(phone: Phone, number: string): Promise<Talk>
  legsOf(talk: Talk): LegRecord[]
  /** Calls that are written down. */
  keys(): Promise<string[]>
  /** The records of calls in the bucket, as they stand there. */
  heldCalls(): Promise<Map<string, string>>
  /** Users whose phones that edge has written down for the others. */
  boundAt(edge: string): Promise<string[]>
  /** Run first when it is closed. */
  readonly atClose: (() => void)[]
  close(): Promise<void>
}

export interface ListenerPorts {
  readonly inside: number
  readonly carrier: number
  /** Of one more listener, if there is one. */
  readonly more: number
}

export interface TwoEdgesOptions {
  /** Beside UDP for phones and the carrier, instead of TCP. */
  readonly listen?: (ports: ListenerPorts) => ConfigurationDocument['edge']['listen']
  readonly document?: Partial<ConfigurationDocument>
  /** Where a number goes; undefined: to the carrier. */
  readonly decide?: (dialled: string) => RoutePlan | undefined
  readonly media?: Partial<ConfigurationDocument['edge']['media']>
  /** More of `edge`. */
  readonly edge?: Partial<ConfigurationDocument['edge']>
  readonly onCarrierMessage?: Parameters<typeof startItsp>[0]['onMessage']
}

export async function startTwoEdges(options: TwoEdgesOptions = {}): Promise<TwoEdges> {
  const phones: Phone[] = []
  const atClose: (() => void)[] = []
  const records: LegRecord[] = []
  const corrections: LegRecord[] = []
  const answers: Body<typeof CallAnswered>[] = []
  const nats = await startPrivateNats()
  const folder = await mkdtemp(join(tmpdir(), 'tandem-takeover-'))
  const media = somePorts()
  const port = () => portBeside(media)
  const ports = { inside: await port(), carrier: await port(), more: await port() }
  const itsp = await startItsp({
    name: 'Carrier A',
    target: `udp://${A}:${ports.carrier}`,
    ...(options.onCarrierMessage ? { onMessage: options.onCarrierMessage } : {}),
  })
  const console = await nats.bus('console')
  const routing = await nats.bus('routing')
  const toCarrier = (dialled: string) => plan([toTrunk('itsp-a', dialled.slice(1))], { dialled })
  routing.answer(ResolveRoute, ({ dialled }) => options.decide?.(dialled) ?? toCarrier(dialled))
  const billing = await nats.bus('billing')
  billing.hear(CallEnded, (record) => void records.push(record as LegRecord))
  billing.hear(CallAnswered, (leg) => void answers.push(leg))
  billing.hear(CallCorrected, (record) => void corrections.push(record as LegRecord))
  await Promise.all([routing.flush(), billing.flush()])
  const document: ConfigurationDocument = {
    ...testConfiguration(),
    edge: {
      listen: {
        inside: { url: `udp://127.0.0.1:${ports.inside}`, digest: ['md5'] },
        ...(options.listen?.(ports) ?? {
          'inside-tcp': { url: `tcp://127.0.0.1:${ports.inside}`, digest: ['md5'] },
        }),
        carrier: { url: `udp://127.0.0.1:${ports.carrier}` },
      },
      media: { relay: 'embedded', address: '127.0.0.1', ports: media, ...options.media },
      cluster: { secret: { env: 'CLUSTER_SECRET' } },
      ...options.edge,
    },
    routes: [{ name: 'all', match: '^\\+', usages: ['national'], trunks: ['itsp-a'] }],
    trunks: {
      'itsp-a': { to: [itsp.uri], from: [`127.0.0.1:${itsp.port}`], listener: 'carrier', emergency: true },
    },
    ...options.document,
  }
  const edges = await edgeProcesses({ nats, console, folder, document })
  const heldCalls = async (): Promise<Map<string, string>> => {
    const found = new Map<string, string>()
    const bucket = await (await nats.bus('edge-proxy')).bucket(CALLS_BUCKET)
    for await (const { key, value } of bucket.list()) found.set(key, Buffer.from(value).toString())
    return found
  }

  return {
    nats,
    itsp,
    ports,
    billing,
    records,
    corrections,
    answers,
    edges,
    async phoneAt(name, address, password, more = {}) {
      const server = `udp://${address}:${ports.inside}`
      const phone = await startPhone({ name, server, password, domain: 'acme.example', ...more })
      phones.push(phone)
      await phone.register()
      return phone
    },
    async talk(phone, number) {
      const call = await phone.call(`9${number}`)
      const invite = await itsp.nextInvite((i) => i.number === number, WITHIN)
      await call.answered
      await until('the carrier has the call', async () => invite.call !== undefined)
      const far = invite.call as CallHandle
      await hearing([call, far])
      return [call, far]
    },
    legsOf: ([near, far]) => records.filter((r) => r.sipCallId === near.callId || r.sipCallId === far.callId),
    keys: async () => [...(await heldCalls()).keys()],
    heldCalls,
    async boundAt(edge) {
      const found: HeldBinding[] = []
      const bucket = await (await nats.bus('edge-proxy')).bucket(BINDINGS_BUCKET)
      for await (const { value } of bucket.list()) found.push(JSON.parse(Buffer.from(value).toString()))
      return found.filter((held) => held.owner.edge === edge).map((held) => held.user)
    },
    atClose,
    async close() {
      for (const run of atClose) run()
      await Promise.all(phones.map((phone) => phone.close()))
      await edges.close()
      await itsp.close()
      await nats.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** No listener stands where media may. */
async function portBeside(media: string): Promise<number> {
  const [first, last] = media.split('-').map(Number) as [number, number]
  for (;;) {
    const port = await steadyPort()
    if (port < first || port > last) return port
  }
}

/** Both hear the other in what comes from now on. */
export async function hearing([near, far]: Talk): Promise<void> {
  const [here, there] = [near.audio.packetsReceived, far.audio.packetsReceived]
  const both = async () => near.audio.packetsReceived > here + 60 && far.audio.packetsReceived > there + 60
  await until('packets both ways', both).catch(() => {
    const told = (side: CallHandle) =>
      `${side.audio.packetsReceived} packets, ${side.state}, was asked ${side.requests.map((r) => r.method)}`
    assert.fail(`no packets both ways: from ${here} to ${told(near)}; from ${there} to ${told(far)}`)
  })
  await Promise.all([near.audio.hears(far.audio.tone, WITHIN), far.audio.hears(near.audio.tone, WITHIN)])
}
