/**
 * Redirections on a walk: where a 3xx leads takes the place of who said it, one named place after the other, best first
 * (RFC 3261 8.1.3.4: "When a failure for a particular contact address is received, the client SHOULD try the next contact
 * address"). A 6xx of any of them ends the walk as ever.
 *
 *   trying --all branches of the place over--> asking --the next place--> trying
 *                                                 `--none is left--> over
 */
import { beginNext, inStages, settle, stageOf } from './walk-stages.ts'
import {
  type AttemptState,
  type BranchState,
  NOTHING,
  setAttempt,
  setBranch,
  setLeg,
  take,
  type Walk,
  type WalkBranch,
  type WalkEffect,
  type WalkInput,
  type WalkStep,
} from './walk-state.ts'

export function redirected(walk: Walk, input: WalkInput & { kind: 'redirected' }): WalkStep {
  const { attempt, leg: index, status, branches } = input
  const state = walk.attempts[attempt]
  const leg = state?.legs[index]
  if (state === undefined || leg === undefined || leg.phase === 'over') return [walk, NOTHING]
  // what it has said is done: should another leg of the attempt fail, this one counts as nobody there
  let now = setLeg(walk, attempt, index, { phase: 'over', status: 480 })
  if (walk.kind !== 'walking' || state.phase !== 'up') return [now, NOTHING]
  const effects: WalkEffect[] = []
  const { legs } = now.attempts[attempt] as AttemptState
  if (legs.every((l) => l.phase === 'over')) {
    const branch = now.branches[state.branch] as BranchState
    const next = branches[0]?.attempts[0]
    effects.push(
      { kind: 'clear-timers', attempt },
      { kind: 'attempt-failed', attempt, status, why: String(status), next },
    )
    now = setAttempt(now, attempt, { ...state, legs, phase: 'left' })
    now = setBranch(now, state.branch, { ...branch, over: true })
  }
  now = { ...now, redirects: [...now.redirects, { attempt, leg: index, phase: 'asking', branches: [] }] }
  return tried(now, now.redirects.length - 1, branches, effects)
}

export function placed(walk: Walk, input: WalkInput & { kind: 'placed' }): WalkStep {
  const { attempt, leg, branches } = input
  const at = walk.redirects.findIndex((r) => r.attempt === attempt && r.leg === leg && r.phase === 'asking')
  if (walk.kind !== 'walking' || at < 0) return [walk, NOTHING]
  return tried(walk, at, branches, [])
}

/** The branches of the next place begin. */
function tried(walk: Walk, at: number, branches: readonly WalkBranch[], effects: WalkEffect[]): WalkStep {
  const redirect = walk.redirects[at]
  if (redirect === undefined) return [walk, effects]
  const first = walk.plan.length
  const begun = branches.map((): BranchState => ({ begun: 0, over: false, statuses: [], rang: false }))
  const added = inStages(walk, branches)
  const phase = added.length === 0 ? 'over' : 'trying'
  let now: Walk = {
    ...walk,
    plan: [...walk.plan, ...added],
    branches: [...walk.branches, ...begun],
    redirects: walk.redirects.with(at, { ...redirect, phase, branches: added.map((_, i) => first + i) }),
  }
  added.forEach((branch, i) => {
    const here = stageOf(branch) === walk.stage
    if (!here && branch.follows?.stage !== walk.stage) return
    if (branch.delayMs > 0) effects.push({ kind: 'set-delay', branch: first + i, ms: branch.delayMs })
    else if (here) now = take(beginNext(now, first + i), effects)
  })
  return settle(now, effects)
}
