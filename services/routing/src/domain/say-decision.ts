import type { RouteDecision } from '@tandem/contracts/routing.ts'

/** Where a call goes, in a line: `callee itsp-a 12065550100, itsp-b +12065550100 | mobile …`, or the refusal. */
export function sayDecision(decision: RouteDecision): string {
  return say(decision, false)
}

/** The same with the number that each trunk is shown: when nothing but that changed. */
export function sayShown(decision: RouteDecision): string {
  return say(decision, true)
}

function say(decision: RouteDecision, shown: boolean): string {
  if (decision.kind === 'reject') return `${decision.status} ${decision.reason}`
  const tries = decision.branches.map(({ role, attempts }) => {
    const places = attempts.map((a) =>
      a.kind === 'user' ? a.user : `${a.trunk} ${a.called}${shown ? ` as ${a.calling}` : ''}`,
    )
    return `${role} ${places.join(', ')}`
  })
  return `${decision.emergency ? 'emergency, ' : ''}${tries.join(' | ')}`
}
