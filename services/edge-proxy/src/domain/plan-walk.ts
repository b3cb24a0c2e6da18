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
import { placed, redirected } from './walk-redirect.ts'
import {
  begin,
  beginNext,
  beginStage,
  delayed,
  endStage,
  following,
  leave,
  leaveAll,
  settle,
  stageOf,
} from './walk-stages.ts'
import {
  type AttemptState,
  attemptOf,
  type BranchState,
  type CancelReason,
  type LegState,
  NOTHING,
  setAttempt,
  setBranch,
  setLeg,
  take,
  type Walk,
  type WalkEffect,
  type WalkInput,
  type WalkStep,
} from './walk-state.ts'
import { best, type Failure, mayRetry } from './walk-verdict.ts'

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
    case 'placed':
      return placed(walk, input)
    case 'answered':
      return answered(walk, input)
    case 'timer':
      return timer(walk, input)
    case 'unreachable':
      return unreachable(walk, input.attempt)
    case 'cancel':
      return cancel(walk)
  }
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

/** What follows begins at once; with nothing to follow it keeps its time, as the carrier may just be starting again. */
function unreachable(walk: Walk, attempt: number): WalkStep {
  const state = walk.attempts[attempt]
  if (walk.kind !== 'walking' || state?.phase !== 'up') return [walk, NOTHING]
  if (state.legs.some((l) => l.phase !== 'trying')) return [walk, NOTHING]
  const { begun } = walk.branches[state.branch] as BranchState
  const more = state.more > 0 || walk.plan[state.branch]?.attempts[begun] !== undefined
  return more ? giveUp(walk, attempt, 408, 'no-response', false) : [walk, NOTHING]
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
