/** `tandem bench rtp`: audio of calls through the embedded relay, and through rtpengine in turns with it. */
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { whyNoRtpengine } from '@tandem/testing/rtpengine.ts'
import { readCpu, spent, total } from './cpu-time.ts'
import { type Driver, startDriver } from './driver-process.ts'
import { type RelaySystem, relayPorts, startEmbeddedRelay, startRtpengineRelay } from './relay-system.ts'
import type { RtpOrder } from './rtp-driver.ts'
import type { RtpResult } from './rtp-load.ts'
import { inLab, type Measuring } from './side-by-side.ts'

export interface RtpPlan extends Measuring {
  calls: number
  /** of each of the two phones of a call */
  packetsPerSecond: number
  /** of a round */
  seconds: number
  /** rounds of each relay */
  runs: number
  /** finds the highest number of calls without loss, too */
  ramp: boolean
  peer: boolean
}

export interface RtpRound extends RtpResult {
  calls: number
  /** CPU of all processes of the relay, µs a packet */
  cpuUs: number
}

export interface RelayFigures {
  name: string
  rounds: RtpRound[]
  /** the climb, when the highest number of calls was looked for */
  steps: RtpRound[]
}

export interface RtpFigures {
  relay: RelayFigures
  peer: RelayFigures | null
  /** why there is no peer */
  noPeer: string | null
  /** from phone to phone without a relay: what of the delay is the measurement's own */
  direct: RtpResult
  /** in words; empty when everybody heard the other one */
  wrong: string[]
}

type Phones = Driver<RtpOrder, number[] | RtpResult>

const RAMP = [50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 900, 1000]
const RAMP_SECONDS = 3
const WARM_UP_SECONDS = 2
const SOON_MS = 30_000
/** What a relay does after the last packet. */
const REST_MS = 100
/** 99 of 100 packets are there within this more than a jitter buffer would notice, µs. */
const PROMPT_US = 2000
/** A load that was later than this itself had no time, ms. */
const LATE_MS = 5
const MOST_TRIES = 6

export function measureRtp(plan: RtpPlan): Promise<RtpFigures> {
  return inLab(plan, async ({ keep }) => {
    const most = Math.max(plan.calls, plan.ramp ? (RAMP.at(-1) as number) : 0)
    const [own, others] = relayPorts(most)
    const noPeer = plan.peer ? (whyNoRtpengine() ?? null) : 'not asked for'
    const phones = keep<Phones>(startDriver(fileURLToPath(new URL('./rtp-driver.ts', import.meta.url))))
    const relay = keep(startEmbeddedRelay(own))
    const peer = noPeer === null ? keep(await startRtpengineRelay(others)) : null
    return { ...(await measure(plan, phones, peer ? [relay, peer] : [relay])), noPeer }
  })
}

async function measure(plan: RtpPlan, phones: Phones, relays: readonly RelaySystem[]) {
  const { calls, seconds } = plan
  const figures = relays.map(({ name }): RelayFigures => ({ name, rounds: [], steps: [] }))
  const lines = relays.map((relay) => new Lines(phones, relay))
  const play = async (i: number, calls: number, seconds: number): Promise<RtpRound> => {
    const round = await playRound(plan, phones, lines[i] as Lines, calls, seconds)
    plan.say(describe((relays[i] as RelaySystem).name, round))
    return round
  }
  const ports = await openPhones(phones, calls)
  const direct = await send(plan, phones, crossed(ports), WARM_UP_SECONDS)
  for (const i of figures.keys()) await play(i, calls, WARM_UP_SECONDS)
  for (let run = 0; run < plan.runs; run++) {
    for (const [i, of] of figures.entries()) of.rounds.push(await play(i, calls, seconds))
  }
  if (plan.ramp) for (const [i, of] of figures.entries()) await climb(of, (n) => play(i, n, RAMP_SECONDS))
  const [relay, peer = null] = figures as [RelayFigures, RelayFigures?]
  return { relay, peer, direct, wrong: figures.flatMap(faults) }
}

/** The calls of a relay: opened when they are first needed, and kept. */
class Lines {
  readonly relay: RelaySystem
  readonly #phones: Phones
  #targets: number[] = []

  constructor(phones: Phones, relay: RelaySystem) {
    this.#phones = phones
    this.relay = relay
  }

  async of(calls: number): Promise<number[]> {
    const ports = await openPhones(this.#phones, calls)
    const more = ports.slice(this.#targets.length)
    if (more.length > 0) this.#targets.push(...(await this.relay.carry(more)))
    return this.#targets.slice(0, 2 * calls)
  }
}

const openPhones = async (phones: Phones, calls: number) =>
  (await phones.ask({ kind: 'open', calls }, SOON_MS)) as number[]

/** Alice sends to bob, bob to alice. */
const crossed = (ports: readonly number[]) => ports.map((_, i) => ports[i ^ 1] as number)

async function send({ packetsPerSecond }: RtpPlan, phones: Phones, targets: number[], seconds: number) {
  const order: RtpOrder = { kind: 'run', targets, packetsPerSecond, seconds }
  return (await phones.ask(order, 10 * seconds * 1000 + SOON_MS)) as RtpResult
}

async function playRound(plan: RtpPlan, phones: Phones, lines: Lines, calls: number, seconds: number) {
  const targets = await lines.of(calls)
  const before = readCpu(lines.relay.roots())
  const result = await send(plan, phones, targets, seconds)
  await pause(REST_MS)
  const cost = total(spent(before, readCpu(lines.relay.roots())))
  return { ...result, calls, cpuUs: cost / Math.max(1, result.received) }
}

/** Step by step until a number of calls is not clean twice. A round for which the load had no time says nothing: again. */
export async function climb(of: RelayFigures, play: (calls: number) => Promise<RtpRound>): Promise<void> {
  for (const calls of RAMP) {
    let [clean, dirty] = [false, 0]
    for (let attempt = 0; attempt < MOST_TRIES && dirty < 2 && !clean; attempt++) {
      const round = await play(calls)
      of.steps.push(round)
      clean = isClean(round)
      if (!clean && round.lateMs <= LATE_MS) dirty++
    }
    if (!clean) return
  }
}

function isClean(round: RtpRound): boolean {
  return round.received === round.sent && round.delayP99Us <= PROMPT_US
}

export function highestCalls(of: RelayFigures): number | null {
  return of.steps.findLast(isClean)?.calls ?? null
}

function faults({ name, rounds }: RelayFigures): string[] {
  return rounds.flatMap(({ strange, deaf, calls }) => [
    ...(strange > 0 ? [`${name}: ${strange} packets came to somebody else`] : []),
    ...(deaf > 0 ? [`${name}: ${deaf} of ${2 * calls} phones heard nothing`] : []),
  ])
}

function describe(name: string, r: RtpRound): string {
  const late = r.lateMs > LATE_MS ? `, the load itself was up to ${r.lateMs.toFixed(0)} ms late` : ''
  return `${name}: ${r.calls} calls, ${r.received} of ${r.sent} packets, ${r.cpuUs.toFixed(1)} µs CPU each, delay p50 ${r.delayP50Us.toFixed(0)} µs, p99 ${r.delayP99Us.toFixed(0)} µs${late}`
}
