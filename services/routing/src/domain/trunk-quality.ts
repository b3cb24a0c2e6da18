/**
 * How well a trunk carries calls, by the records of those that it carried (routing.md R3). Pure: the time comes with
 * what is counted, so the same records give the same verdict in every router, also in one that reads them again.
 *
 *   good --enough calls in the window, one ratio beyond its limit--> poor (the window begins anew)
 *   poor --enough calls, every ratio back--> good
 *   poor --after the pause, unless enough calls say that it is still poor--> good, on trial
 */
import type { TrunkQualityRule } from '@tandem/config/defaults.ts'
import type { LegRecord } from '@tandem/contracts/call.ts'

/** The window moves in steps of a fifteenth of itself. */
const steps = 15

type Tally = {
  readonly step: number
  readonly calls: number
  readonly answered: number
  /** ITU-T E.425: the network did its part. */
  readonly effective: number
  readonly rang: number
  readonly pddMs: number
}

export type TrunkQuality = {
  readonly kind: 'good' | 'poor'
  /** Epoch ms of the verdict; of the last look at the pause while poor. */
  readonly since: number
  /** What made it poor. */
  readonly why: string | undefined
  readonly tallies: readonly Tally[]
}

export type QualityFigures = {
  readonly calls: number
  readonly asr: number | undefined
  readonly ner: number | undefined
  readonly pddMs: number | undefined
  /** Calls that the post-dial delay is of. */
  readonly rang: number
}

export type CallOutcome = {
  readonly answered: boolean
  readonly effective: boolean
  readonly pddMs: number | undefined
}

export const unknownQuality: TrunkQuality = { kind: 'good', since: 0, why: undefined, tallies: [] }

/** ITU-T E.425: busy and declined are the called user's own words. */
const usersOwn: ReadonlySet<number> = new Set([486, 600, 603])

/** What a final record says of the trunk; undefined: nothing (a call for help is not judged, nor a leg that we ended). */
export function outcomeOf(leg: LegRecord): (CallOutcome & { readonly trunk: string; readonly at: number }) | undefined {
  if (leg.party.kind !== 'trunk' || leg.role === 'caller' || leg.emergency || leg.estimated) return undefined
  // somebody else answered or declined: this phone was never given its time
  if (leg.reason === 'answered-elsewhere' || leg.reason === 'declined') return undefined
  const { sipStatus, ringingMs, q850 } = leg
  const rang = ringingMs !== undefined
  const answered = leg.answeredAt !== undefined
  // Q.850 17 user busy, 19 no answer; a caller who gives up is not the network's doing
  const effective =
    answered ||
    usersOwn.has(sipStatus) ||
    q850 === 17 ||
    q850 === 19 ||
    leg.endedBy === 'caller' ||
    (rang && sipStatus < 500)
  return { trunk: leg.party.trunk, at: Date.parse(leg.endedAt), answered, effective, pddMs: ringingMs }
}

/** One more call, then the verdict. `at`: epoch ms. */
export function counted(quality: TrunkQuality, rule: TrunkQualityRule, call: CallOutcome, at: number): TrunkQuality {
  const step = stepAt(rule, at)
  const tallies = inWindow(quality.tallies, step)
  const place = tallies.findIndex((tally) => tally.step === step)
  const before = tallies[place] ?? { step, calls: 0, answered: 0, effective: 0, rang: 0, pddMs: 0 }
  const now: Tally = {
    step,
    calls: before.calls + 1,
    answered: before.answered + Number(call.answered),
    effective: before.effective + Number(call.effective),
    rang: before.rang + Number(call.pddMs !== undefined),
    pddMs: before.pddMs + (call.pddMs ?? 0),
  }
  return judged({ ...quality, tallies: place < 0 ? [...tallies, now] : tallies.with(place, now) }, rule, at)
}

/** The verdict, which time alone may change too. */
export function judged(quality: TrunkQuality, rule: TrunkQualityRule, at: number): TrunkQuality {
  const figures = figuresOf(quality, rule, at)
  const enough = figures.calls >= rule.calls
  if (quality.kind === 'good') {
    const why = enough ? beyond(figures, rule, 'enter') : undefined
    return why === undefined ? quality : { kind: 'poor', since: at, why, tallies: [] }
  }
  const still = enough ? beyond(figures, rule, 'leave') : undefined
  if (enough && still === undefined) return { kind: 'good', since: at, why: undefined, tallies: quality.tallies }
  if (at - quality.since < rule.pauseMs) return quality
  if (still !== undefined) return { ...quality, since: at, why: still }
  return { kind: 'good', since: at, why: undefined, tallies: [] }
}

export function figuresOf(quality: TrunkQuality, rule: TrunkQualityRule, at: number): QualityFigures {
  let [calls, answered, effective, rang, pddMs] = [0, 0, 0, 0, 0]
  for (const tally of inWindow(quality.tallies, stepAt(rule, at))) {
    calls += tally.calls
    answered += tally.answered
    effective += tally.effective
    rang += tally.rang
    pddMs += tally.pddMs
  }
  const of = (part: number, whole: number) => (whole === 0 ? undefined : part / whole)
  return { calls, asr: of(answered, calls), ner: of(effective, calls), pddMs: of(pddMs, rang), rang }
}

/** Which ratio is beyond its limit, in words. Half as many delays as calls are enough: not every call comes to ring. */
function beyond(figures: QualityFigures, rule: TrunkQualityRule, edge: 'enter' | 'leave'): string | undefined {
  const { calls, asr, ner, pddMs, rang } = figures
  for (const [name, value, limit] of [
    ['ASR', asr, rule.asr],
    ['NER', ner, rule.ner],
  ] as const) {
    if (limit === null || value === undefined) continue
    const least = edge === 'enter' ? limit.below : limit.back
    if (value < least) return `${name} ${percent(value)} of ${calls} calls, below ${percent(least)}`
  }
  if (rule.pdd === null || pddMs === undefined || rang * 2 < rule.calls) return undefined
  const most = edge === 'enter' ? rule.pdd.aboveMs : rule.pdd.backMs
  return pddMs > most ? `PDD ${seconds(pddMs)} on average, above ${seconds(most)}` : undefined
}

const percent = (ratio: number): string => `${Math.round(ratio * 1000) / 10} %`
const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`
const stepAt = (rule: TrunkQualityRule, at: number): number => Math.floor((at * steps) / rule.windowMs)

function inWindow(tallies: readonly Tally[], step: number): readonly Tally[] {
  return tallies.every((tally) => tally.step > step - steps) ? tallies : tallies.filter((t) => t.step > step - steps)
}
