/**
 * How a call walks its plan (routing.md R4): branches ring in parallel, the attempts of a branch follow each other. Pure:
 * `step(walk, input) -> [walk, effects]`; the call runs the effects.
 *
 *   attempt: waiting -> trying --100--> proceeding --18x--> ringing --2xx--> won
 *              |          |  no-response  |  only-trying       |  ring time
 *              |          `-------------->+--------------------+--3xx-6xx--> failed -> next attempt, or branch over
 *              `- delay of its branch
 *
 *   stage: ringing --all its branches over--> the stage that follows on that cause, else lost
 *             `--the time of a stage that follows on no-answer--> that stage, and what rings is cancelled
 *
 *   walk: walking --2xx--> won | --no stage follows--> lost | --caller's CANCEL--> cancelled
 *
 * An attempt has legs: one INVITE to a trunk, or one to each contact of a user. A leg of an attempt that was left keeps
 * its number: its late 2xx is discarded (ACK and BYE), but in an emergency the first 2xx of any rung wins.
 */
import type { Attempt, NoAnswerCause } from '@tandem/contracts/routing.ts'

/** RFC 3261 16.7 and routing.md R4: the callee has spoken; nobody else is asked. */
const FINAL = new Set([486, 487, 600, 603])

/** The callee is there and does not want to talk now: forwarding on busy (docs/adr/0062). */
const BUSY = new Set([486, 600, 603])

export interface WalkBranch {
  readonly delayMs: number
  readonly stage?: number | undefined
  readonly follows?: { readonly stage: number; readonly on: readonly NoAnswerCause[] } | undefined
  readonly attempts: readonly Attempt[]
}

interface LegState {
  readonly phase: 'trying' | 'proceeding' | 'ringing' | 'over'
  readonly status: number
}

interface AttemptState {
  readonly branch: number
  readonly index: number
  /** Which address of the trunk, from 0. */
  readonly path: number
  /** Addresses of the trunk that are left to try. */
  readonly more: number
  readonly phase: 'launching' | 'up' | 'left'
  readonly legs: readonly LegState[]
}

interface BranchState {
  /** Attempts begun so far; 0: still delayed. */
  readonly begun: number
  readonly over: boolean
  /** Final status of every attempt that failed. */
  readonly statuses: readonly number[]
  /** Somebody's phone rang. */
  readonly rang: boolean
}

export interface Walk {
  readonly kind: 'walking' | 'won' | 'lost' | 'cancelled'
  readonly emergency: boolean
  /** The stage that rings. */
  readonly stage: number
  readonly plan: readonly WalkBranch[]
  readonly branches: readonly BranchState[]
  /** Every attempt ever begun, in order; its place here is its number. */
  readonly attempts: readonly AttemptState[]
}

export type WalkTimer = 'no-response' | 'only-trying' | 'ring'

export type WalkInput =
  | { readonly kind: 'start' }
  /**
   * How many INVITEs went out for the attempt, 0 with the status that says why not; `more` further addresses of the
   * trunk, or lower preferences of the user's contacts, are there when this one fails (edge.md E5).
   */
  | {
      readonly kind: 'launched'
      readonly attempt: number
      readonly legs: number
      readonly more?: number
      readonly status?: number
    }
  | { readonly kind: 'provisional'; readonly attempt: number; readonly leg: number; readonly status: number }
  /** 300-699. `lost`: nobody said so: 408 for a timeout, 503 for a transport error (RFC 3261 8.1.3.1). */
  | {
      readonly kind: 'final'
      readonly attempt: number
      readonly leg: number
      readonly status: number
      readonly lost?: boolean
      /** Nobody else is asked: the caller is told what was said. */
      readonly told?: boolean
    }
  /** Whoever took the INVITE has said where else the callee is: these branches take its place (RFC 3261 8.1.3.4). */
  | {
      readonly kind: 'redirected'
      readonly attempt: number
      readonly leg: number
      readonly status: number
      readonly branches: readonly WalkBranch[]
    }
  | { readonly kind: 'answered'; readonly attempt: number; readonly leg: number }
  | { readonly kind: 'timer'; readonly timer: WalkTimer; readonly attempt: number }
  | { readonly kind: 'delay'; readonly branch: number }
  /** The caller has gone. */
  | { readonly kind: 'cancel' }

export type WalkEffect =
  | {
      readonly kind: 'launch'
      readonly attempt: number
      readonly branch: number
      readonly what: Attempt
      /** 1 for the first INVITE of the branch. */
      readonly number: number
      readonly path: number
    }
  | { readonly kind: 'cancel'; readonly attempt: number; readonly leg: number; readonly why: CancelReason }
  /** This leg's 2xx is the call's. */
  | { readonly kind: 'win'; readonly attempt: number; readonly leg: number }
  /** A 2xx that nobody wants any more: ACK it, then BYE. */
  | { readonly kind: 'discard'; readonly attempt: number; readonly leg: number }
  | { readonly kind: 'set-timer'; readonly timer: WalkTimer; readonly attempt: number; readonly ms: number }
  | { readonly kind: 'clear-timers'; readonly attempt: number }
  | { readonly kind: 'set-delay'; readonly branch: number; readonly ms: number }
  | {
      readonly kind: 'attempt-failed'
      readonly attempt: number
      readonly status: number
      readonly why: string
      readonly next: Attempt | undefined
    }
  /** Nobody answered; `status` is the best of what came (RFC 3261 16.7 step 6). */
  | { readonly kind: 'lose'; readonly status: number }

export type CancelReason =
  | 'answered-elsewhere'
  | 'caller-gone'
  | 'no-response'
  | 'only-trying'
  | 'no-answer'
  | 'declined'
export type WalkStep = readonly [Walk, readonly WalkEffect[]]

const NOTHING: readonly WalkEffect[] = []

export function newWalk(plan: readonly WalkBranch[], emergency: boolean): Walk {
  return {
    kind: 'walking',
    emergency,
    stage: 0,
    plan,
    branches: plan.map(() => ({ begun: 0, over: false, statuses: [], rang: false })),
    attempts: [],
  }
}

export function step(walk: Walk, input: WalkInput): WalkStep {
  switch (input.kind) {
    case 'start':
      return beginStage(walk, 0)
    case 'delay':
      return delayed(walk, input.branch)
    case 'launched':
      return launched(walk, input)
    case 'provisional':
      return provisional(walk, input)
    case 'final':
      return final(walk, input)
    case 'redirected':
      return redirected(walk, input)
    case 'answered':
      return answered(walk, input)
    case 'timer':
      return timer(walk, input)
    case 'cancel':
      return cancel(walk)
  }
}

const stageOf = (branch: WalkBranch | undefined): number => branch?.stage ?? 0

function beginStage(walk: Walk, stage: number): WalkStep {
  let now: Walk = { ...walk, stage }
  const effects: WalkEffect[] = []
  walk.plan.forEach((branch, i) => {
    const here = stageOf(branch) === stage
    const waits = here ? branch.follows === undefined : branch.follows?.stage === stage
    if (branch.delayMs > 0 && waits) effects.push({ kind: 'set-delay', branch: i, ms: branch.delayMs })
    else if (here) now = take(beginNext(now, i), effects)
  })
  return settle(now, effects)
}

/** A branch of this stage that was to begin later; or the time is up for this stage, and the next one follows. */
function delayed(walk: Walk, index: number): WalkStep {
  const branch = walk.plan[index]
  if (walk.kind !== 'walking' || branch === undefined || walk.branches[index]?.begun !== 0) return [walk, NOTHING]
  if (stageOf(branch) === walk.stage) return beginNext(walk, index)
  if (branch.follows?.stage !== walk.stage || stageOf(branch) <= walk.stage) return [walk, NOTHING]
  const effects: WalkEffect[] = []
  let now = walk
  walk.attempts.forEach((attempt, i) => {
    if (attempt.phase !== 'up') return
    now = take(leave(now, i, 'no-answer'), effects)
    effects.push({ kind: 'attempt-failed', attempt: i, status: 480, why: 'no-answer', next: branch.attempts[0] })
  })
  now = take(beginStage(endStage(now, 480), stageOf(branch)), effects)
  return [now, effects]
}

/** Nothing of this stage begins or rings any more. */
function endStage(walk: Walk, status: number): Walk {
  const over = (state: BranchState, i: number): BranchState =>
    stageOf(walk.plan[i]) !== walk.stage || state.over
      ? state
      : { ...state, over: true, statuses: state.begun === 0 ? state.statuses : [...state.statuses, status] }
  return { ...walk, branches: walk.branches.map(over) }
}

/** docs/adr/0062: a word of the callee goes before a phone that rang, and that before silence. */
function causeOf(walk: Walk): NoAnswerCause {
  const here = walk.branches.filter((_, i) => stageOf(walk.plan[i]) === walk.stage)
  if (here.some(({ statuses }) => statuses.some((status) => BUSY.has(status)))) return 'busy'
  return here.some(({ rang }) => rang) ? 'no-answer' : 'unreachable'
}

function following(walk: Walk, cause: NoAnswerCause): number | undefined {
  // stages go forward only: a plan that names itself ends
  const next = walk.plan.find(
    (branch) =>
      branch.follows?.stage === walk.stage && branch.follows.on.includes(cause) && stageOf(branch) > walk.stage,
  )
  return next === undefined ? undefined : stageOf(next)
}

function beginNext(walk: Walk, branch: number): WalkStep {
  const state = walk.branches[branch] as BranchState
  if (walk.plan[branch]?.attempts[state.begun] === undefined) {
    return [setBranch(walk, branch, { ...state, over: true }), NOTHING]
  }
  const next = setBranch(walk, branch, { ...state, begun: state.begun + 1 })
  return begin(next, branch, state.begun, 0)
}

function begin(walk: Walk, branch: number, index: number, path: number): WalkStep {
  const what = walk.plan[branch]?.attempts[index] as Attempt
  const attempt = walk.attempts.length
  const number = walk.attempts.filter((a) => a.branch === branch).length + 1
  const begun: AttemptState = { branch, index, path, more: 0, phase: 'launching', legs: [] }
  return [{ ...walk, attempts: [...walk.attempts, begun] }, [{ kind: 'launch', attempt, branch, what, number, path }]]
}

function launched(walk: Walk, input: WalkInput & { kind: 'launched' }): WalkStep {
  const state = walk.attempts[input.attempt]
  if (state?.phase !== 'launching') return [walk, NOTHING]
  const legs = Array.from({ length: input.legs }, (): LegState => ({ phase: 'trying', status: 0 }))
  const now = setAttempt(walk, input.attempt, { ...state, phase: 'up', legs, more: input.more ?? 0 })
  if (now.kind !== 'walking') {
    return leave(now, input.attempt, now.kind === 'cancelled' ? 'caller-gone' : 'answered-elsewhere')
  }
  // its stage went by while the way to the trunk was looked for
  if (stageOf(walk.plan[state.branch]) !== walk.stage) {
    const [left, effects] = leave(now, input.attempt, 'no-answer')
    const { attempt } = input
    return [left, [...effects, { kind: 'attempt-failed', attempt, status: 480, why: 'no-answer', next: undefined }]]
  }
  if (input.legs === 0)
    return fail(now, input.attempt, { status: input.status ?? 480, why: 'nobody to ask', lost: true })
  const what = attemptOf(now, input.attempt)
  const ms = what.kind === 'user' ? what.ringMs : what.noResponseMs
  return [
    now,
    [{ kind: 'set-timer', timer: what.kind === 'user' ? 'ring' : 'no-response', attempt: input.attempt, ms }],
  ]
}

function provisional(walk: Walk, input: WalkInput & { kind: 'provisional' }): WalkStep {
  const state = walk.attempts[input.attempt]
  const leg = state?.legs[input.leg]
  if (walk.kind !== 'walking' || state?.phase !== 'up' || leg === undefined || leg.phase === 'over')
    return [walk, NOTHING]
  const phase = input.status > 100 ? 'ringing' : 'proceeding'
  if (leg.phase === phase || leg.phase === 'ringing') return [walk, NOTHING]
  const now = setLeg(walk, input.attempt, input.leg, { phase, status: 0 })
  const what = attemptOf(walk, input.attempt)
  if (what.kind === 'user') return [now, NOTHING]
  const effects: WalkEffect[] = [{ kind: 'clear-timers', attempt: input.attempt }]
  if (phase === 'proceeding') {
    effects.push({ kind: 'set-timer', timer: 'only-trying', attempt: input.attempt, ms: what.onlyTryingMs })
  }
  return [now, effects]
}

function final(walk: Walk, input: WalkInput & { kind: 'final' }): WalkStep {
  const state = walk.attempts[input.attempt]
  const leg = state?.legs[input.leg]
  if (state === undefined || leg === undefined || leg.phase === 'over') return [walk, NOTHING]
  const rang = state.legs.some((l) => l.phase === 'ringing')
  const now = setLeg(walk, input.attempt, input.leg, { phase: 'over', status: input.status })
  if (walk.kind !== 'walking' || state.phase !== 'up') return [now, NOTHING]
  // RFC 3261 16.7 step 5: a 6xx cancels all that is pending
  if (input.status >= 600 && !walk.emergency) return decline(now, input)
  const legs = (now.attempts[input.attempt] as AttemptState).legs
  if (legs.some((l) => l.phase !== 'over')) return [now, NOTHING]
  const status = best(legs.map((l) => l.status))
  return fail(now, input.attempt, { status, why: String(status), rang, lost: input.lost, told: input.told })
}

function redirected(walk: Walk, input: WalkInput & { kind: 'redirected' }): WalkStep {
  const { attempt, status, branches } = input
  const state = walk.attempts[attempt]
  const leg = state?.legs[input.leg]
  if (state === undefined || leg === undefined || leg.phase === 'over') return [walk, NOTHING]
  // what it has said is done: should another leg of the attempt fail, this one counts as nobody there
  let now = setLeg(walk, attempt, input.leg, { phase: 'over', status: 480 })
  if (walk.kind !== 'walking' || state.phase !== 'up') return [now, NOTHING]
  const effects: WalkEffect[] = []
  if ((now.attempts[attempt] as AttemptState).legs.every((l) => l.phase === 'over')) {
    const branch = now.branches[state.branch] as BranchState
    const next = branches[0]?.attempts[0]
    effects.push(
      { kind: 'clear-timers', attempt },
      { kind: 'attempt-failed', attempt, status, why: String(status), next },
    )
    now = setAttempt(now, attempt, { ...state, legs: (now.attempts[attempt] as AttemptState).legs, phase: 'left' })
    now = setBranch(now, state.branch, { ...branch, over: true })
  }
  const first = now.plan.length
  const begun = branches.map((): BranchState => ({ begun: 0, over: false, statuses: [], rang: false }))
  const added = inStages(walk, branches)
  now = { ...now, plan: [...now.plan, ...added], branches: [...now.branches, ...begun] }
  added.forEach((branch, i) => {
    const here = stageOf(branch) === walk.stage
    if (!here && branch.follows?.stage !== walk.stage) return
    if (branch.delayMs > 0) effects.push({ kind: 'set-delay', branch: first + i, ms: branch.delayMs })
    else if (here) now = take(beginNext(now, first + i), effects)
  })
  return settle(now, effects)
}

/** Branches of another plan: they begin with the stage that rings, and their later stages come after all of ours. */
function inStages(walk: Walk, branches: readonly WalkBranch[]): WalkBranch[] {
  const last = Math.max(walk.stage, ...walk.plan.map(stageOf))
  const shifted = (stage: number) => (stage === 0 ? walk.stage : last + stage)
  return branches.map((branch) => {
    const { follows } = branch
    return {
      ...branch,
      stage: shifted(stageOf(branch)),
      follows: follows && { stage: shifted(follows.stage), on: follows.on },
    }
  })
}

function decline(walk: Walk, input: WalkInput & { kind: 'final' }): WalkStep {
  const effects: WalkEffect[] = [
    {
      kind: 'attempt-failed',
      attempt: input.attempt,
      status: input.status,
      why: String(input.status),
      next: undefined,
    },
  ]
  const now = leaveAll(walk, effects, 'declined')
  // whoever declines may have said who takes such calls
  const next = following(now, 'busy')
  if (next !== undefined) {
    const ended = endStage(now, input.status)
    return [take(beginStage(ended, next), effects), effects]
  }
  effects.push({ kind: 'lose', status: input.status })
  return [{ ...now, kind: 'lost' }, effects]
}

function answered(walk: Walk, input: WalkInput & { kind: 'answered' }): WalkStep {
  const state = walk.attempts[input.attempt]
  const leg = state?.legs[input.leg]
  if (state === undefined || leg === undefined) return [walk, NOTHING]
  const { attempt } = input
  const late = walk.kind !== 'walking' || (state.phase !== 'up' && !walk.emergency)
  const now = setLeg(walk, attempt, input.leg, { phase: 'over', status: 200 })
  if (late) return [now, [{ kind: 'discard', attempt, leg: input.leg }]]
  const effects: WalkEffect[] = [{ kind: 'win', attempt, leg: input.leg }]
  const left = leaveAll(now, effects, 'answered-elsewhere')
  return [{ ...left, kind: 'won' }, effects]
}

function timer(walk: Walk, input: WalkInput & { kind: 'timer' }): WalkStep {
  const state = walk.attempts[input.attempt]
  if (walk.kind !== 'walking' || state?.phase !== 'up') return [walk, NOTHING]
  const rang = state.legs.some((l) => l.phase === 'ringing')
  if (input.timer === 'ring') return giveUp(walk, input.attempt, 480, 'no-answer', true)
  return rang ? [walk, NOTHING] : giveUp(walk, input.attempt, 408, input.timer, false)
}

function giveUp(walk: Walk, attempt: number, status: number, why: CancelReason, rang: boolean): WalkStep {
  const effects: WalkEffect[] = []
  const now = take(leave(walk, attempt, why), effects)
  const next = take(fail(now, attempt, { status, why, rang, lost: true }), effects)
  return [next, effects]
}

function cancel(walk: Walk): WalkStep {
  if (walk.kind !== 'walking') return [walk, NOTHING]
  const effects: WalkEffect[] = []
  const now = leaveAll(walk, effects, 'caller-gone')
  return [{ ...now, kind: 'cancelled' }, effects]
}

interface Failure {
  readonly status: number
  readonly why: string
  /** Somebody's phone rang: the call is not tried elsewhere. */
  readonly rang?: boolean | undefined
  readonly lost?: boolean | undefined
  readonly told?: boolean | undefined
}

/** The attempt is over without an answer: its next address, the next attempt of its branch, or the branch is over. */
function fail(walk: Walk, attempt: number, failure: Failure): WalkStep {
  const { status, why } = failure
  const state = walk.attempts[attempt] as AttemptState
  const branch = walk.branches[state.branch] as BranchState
  const what = attemptOf(walk, attempt)
  const goesOn = walk.emergency || (!failure.rang && !failure.told && mayRetry(what, failure))
  // edge.md E5: the next address after silence, a lost connection or 503; any other word was the trunk's own.
  // RFC 3261 16.6: the user's contacts of the next lower q after any failure of those above
  const again = goesOn && state.more > 0 && (what.kind === 'user' || failure.lost === true || status === 503)
  const next = again ? what : goesOn ? walk.plan[state.branch]?.attempts[branch.begun] : undefined
  const effects: WalkEffect[] = [
    { kind: 'clear-timers', attempt },
    { kind: 'attempt-failed', attempt, status, why, next },
  ]
  let now = setAttempt(walk, attempt, { ...state, phase: 'left' })
  const rang = branch.rang || failure.rang === true
  now = setBranch(now, state.branch, {
    ...branch,
    ...{ statuses: [...branch.statuses, status], over: next === undefined, rang },
  })
  if (again) now = take(begin(now, state.branch, state.index, state.path + 1), effects)
  else if (next) now = take(beginNext(now, state.branch), effects)
  return settle(now, effects)
}

/** R4; a user's phones are asked once, together: what they say is said, and only if none was reached somebody else is. */
function mayRetry(what: Attempt, failure: Failure): boolean {
  if (FINAL.has(failure.status)) return false
  if (failure.lost || what.kind === 'user') return true
  // a redirection that is not followed: to us the trunk has failed
  return failure.status < 400 || what.retry.includes(failure.status)
}

/** Nobody rings any more but a branch still waits for its delay: it need not wait. All over: lost. */
function settle(walk: Walk, effects: WalkEffect[]): WalkStep {
  if (walk.kind !== 'walking') return [walk, effects]
  const here = (i: number) => stageOf(walk.plan[i]) === walk.stage
  if (walk.branches.some((b, i) => here(i) && b.begun > 0 && !b.over)) return [walk, effects]
  const waiting = walk.branches.findIndex((b, i) => here(i) && b.begun === 0 && !b.over)
  if (waiting >= 0) {
    const now = take(beginNext(walk, waiting), effects)
    return settle(now, effects)
  }
  const next = walk.branches.some((_, i) => here(i)) ? following(walk, causeOf(walk)) : undefined
  if (next !== undefined) return [take(beginStage(walk, next), effects), effects]
  effects.push({ kind: 'lose', status: best(walk.branches.flatMap((b) => b.statuses)) })
  return [{ ...walk, kind: 'lost' }, effects]
}

function leave(walk: Walk, attempt: number, why: CancelReason): WalkStep {
  const state = walk.attempts[attempt] as AttemptState
  const effects: WalkEffect[] = [{ kind: 'clear-timers', attempt }]
  state.legs.forEach((leg, i) => {
    if (leg.phase !== 'over') effects.push({ kind: 'cancel', attempt, leg: i, why })
  })
  return [setAttempt(walk, attempt, { ...state, phase: 'left' }), effects]
}

function leaveAll(walk: Walk, effects: WalkEffect[], why: CancelReason): Walk {
  let now = walk
  walk.attempts.forEach((attempt, i) => {
    if (attempt.phase === 'up') now = take(leave(now, i, why), effects)
  })
  return now
}

/**
 * RFC 3261 16.7 step 6: any 6xx; else of the lowest class. Within a class what tells the caller most: the callee's own
 * word (busy) before a failure on the way, and 503 last.
 */
export function best(statuses: readonly number[]): number {
  let found = 0
  for (const status of statuses) if (found === 0 || rank(status) < rank(found)) found = status
  return found === 0 ? 480 : found
}

function rank(status: number): number {
  if (status >= 600) return 0
  if (status === 486) return 1
  if (status === 408 || status === 480) return 1000
  if (status === 503) return 9999
  return status
}

function attemptOf(walk: Walk, attempt: number): Attempt {
  const state = walk.attempts[attempt] as AttemptState
  return walk.plan[state.branch]?.attempts[state.index] as Attempt
}

function take(stepped: WalkStep, effects: WalkEffect[]): Walk {
  effects.push(...stepped[1])
  return stepped[0]
}

function setBranch(walk: Walk, index: number, state: BranchState): Walk {
  return { ...walk, branches: walk.branches.with(index, state) }
}

function setAttempt(walk: Walk, index: number, state: AttemptState): Walk {
  return { ...walk, attempts: walk.attempts.with(index, state) }
}

function setLeg(walk: Walk, attempt: number, leg: number, state: LegState): Walk {
  const now = walk.attempts[attempt] as AttemptState
  return setAttempt(walk, attempt, { ...now, legs: now.legs.with(leg, state) })
}
