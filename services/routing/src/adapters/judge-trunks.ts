/** Hears the final record of every leg and keeps each trunk's verdict (routing.md R3: ASR, NER, PDD with hysteresis). */
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import type { Configuration, TrunkQualityRule } from '@tandem/config/defaults.ts'
import type { LegRecord } from '@tandem/contracts/call.ts'
import { CallEnded } from '@tandem/contracts/call.ts'
import { type JudgedTrunk, TrunkJudged } from '@tandem/contracts/registration.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { Poor } from '../domain/circumstances.ts'
import { counted, figuresOf, judged, outcomeOf, type TrunkQuality, unknownQuality } from '../domain/trunk-quality.ts'

/** The pause of a demoted trunk ends by itself, without a call: looked at this often, ms. */
const lookMs = 5_000
/** Figures are told again this often while there are any, ms. */
const retellMs = 60_000

export type TrunkJudge = {
  /** Of the configuration in force; a trunk whose rule changed is judged anew. */
  configured(trunks: Configuration['trunks']): void
  poor(): ReadonlyMap<string, Poor>
  /** Every trunk that is judged. */
  all(): ReadonlyMap<string, JudgedTrunk>
  stop(): Promise<void>
}

type Judged = { readonly rule: TrunkQualityRule; quality: TrunkQuality }

/** `clock`: epoch ms. Nothing is read while no trunk has a rule. */
export function judgeTrunks({ bus, log, clock }: { bus: Bus; log: Logger; clock: () => number }): TrunkJudge {
  const trunks = new Map<string, Judged>()
  let poor: ReadonlyMap<string, Poor> = new Map()
  let reading: Stop | undefined
  let timer: NodeJS.Timeout | undefined
  let toldAt = 0
  /** Records read so far: a reader that begins again brings them again. */
  let last = 0

  const changed = (name: string, at: number): void => {
    poor = new Map(
      [...trunks].flatMap(([trunk, { rule, quality }]) =>
        quality.kind === 'poor' ? [[trunk, { why: quality.why ?? '', probe: rule.probe }]] : [],
      ),
    )
    const { kind, why } = (trunks.get(name) as Judged).quality
    log.info({ trunk: name, quality: kind, why }, 'trunk judged')
    tell(name, at)
  }
  const tell = (name: string, at: number): void => {
    const one = trunks.get(name)
    if (one) bus.tell(TrunkJudged, { trunk: name, at: new Date(at).toISOString(), ...describe(one, at) })
  }
  const set = (name: string, one: Judged, quality: TrunkQuality, at: number): void => {
    const before = one.quality.kind
    one.quality = quality
    if (quality.kind !== before) changed(name, at)
  }
  const hear = (leg: LegRecord): void => {
    const outcome = outcomeOf(leg)
    const one = outcome && trunks.get(outcome.trunk)
    if (outcome && one) set(outcome.trunk, one, counted(one.quality, one.rule, outcome, outcome.at), outcome.at)
  }
  const look = (): void => {
    const now = clock()
    for (const [name, one] of trunks) set(name, one, judged(one.quality, one.rule, now), now)
    if (now - toldAt < retellMs) return
    toldAt = now
    for (const [name, one] of trunks) if (figuresOf(one.quality, one.rule, now).calls > 0) tell(name, now)
  }
  const read = (): void => {
    const sinceMs = Math.max(...[...trunks.values()].map(({ rule }) => rule.windowMs + rule.pauseMs))
    reading = bus.replay(CallEnded, { sinceMs }, (leg, { sequence }) => {
      if (sequence <= last) return
      last = sequence
      hear(leg)
    })
    timer = setInterval(look, lookMs)
  }

  return {
    configured(configuration) {
      for (const name of trunks.keys()) if (configuration[name]?.quality == null) trunks.delete(name)
      for (const [name, { quality: rule }] of Object.entries(configuration)) {
        if (rule === null || JSON.stringify(trunks.get(name)?.rule) === JSON.stringify(rule)) continue
        trunks.set(name, { rule, quality: unknownQuality })
      }
      poor = new Map([...poor].filter(([name]) => trunks.get(name)?.quality.kind === 'poor'))
      if (trunks.size > 0 && reading === undefined) read()
    },
    poor: () => poor,
    all: () => new Map([...trunks].map(([name, one]) => [name, describe(one, clock())])),
    async stop() {
      clearInterval(timer)
      await reading?.()
    },
  }
}

function describe({ rule, quality }: Judged, at: number): JudgedTrunk {
  const { calls, asr, ner, pddMs } = figuresOf(quality, rule, at)
  const { kind, why, since } = quality
  return {
    demoted: kind === 'poor',
    ...(why === undefined ? {} : { why }),
    ...(kind === 'poor' ? { since: new Date(since).toISOString() } : {}),
    calls,
    ...(asr === undefined ? {} : { asr }),
    ...(ner === undefined ? {} : { ner }),
    ...(pddMs === undefined ? {} : { pddMs }),
  }
}
