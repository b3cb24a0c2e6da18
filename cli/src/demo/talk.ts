/** Two ends of a call and whether they hear each other, through the edge. */
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import type { CallView } from '../api/resources.ts'
import { eventually, type Saw, type Stage } from './stage.ts'

const HEAR_WITHIN_MS = 5000

/** Each hears the other's tone, and what each gets comes from the edge's relay, not from the other end. */
export async function hearEachOther(saw: Saw, one: [string, CallHandle], other: [string, CallHandle]): Promise<void> {
  const [nameOne, callOne] = one
  const [nameOther, callOther] = other
  await Promise.all([
    callOne.audio.hears(callOther.audio.tone, HEAR_WITHIN_MS),
    callOther.audio.hears(callOne.audio.tone, HEAR_WITHIN_MS),
  ])
  const through = [callOne.audio.from, callOther.audio.from]
  const direct = [callOne, callOther].some(({ audio }) => through.includes(`${audio.address}:${audio.port}`))
  saw(
    `both hear each other through the edge: ${nameOne} hears ${callOther.audio.tone} Hz from ${through[0]}, ${nameOther} hears ${callOne.audio.tone} Hz from ${through[1]}`,
    !direct && through.every((t) => t !== undefined),
    `audio came from ${through.join(' and ')}`,
  )
}

/** The call that the console knows by what was dialled or called, the newest. */
export async function findCall(stage: Stage, what: string, fits: (call: CallView) => boolean): Promise<CallView> {
  const { value } = await eventually(`${what} in the console's list`, 5000, async () => {
    const { calls } = await stage.api.get<{ calls: CallView[] }>('/calls', { limit: 100 })
    return calls.find((c) => c.startedAt >= stage.since && !stage.calls.has(c.callId) && fits(c))
  })
  stage.calls.set(value.callId, what)
  return value
}
