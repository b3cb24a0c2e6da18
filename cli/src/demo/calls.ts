/** Steps a to d and f: ordinary calls. */
import type { PresenceState } from '@tandem/contracts/presence.ts'
import type { PresenceList } from '../api/resources.ts'
import { ELSEWHERE, MOBILE } from './cast.ts'
import { eventually, pause, type Stage, type Step } from './stage.ts'
import { findCall, hearEachOther } from './talk.ts'

const CALLER = '+13605550199'
/** A person: presence takes an answer within 2 s for the mobile's voicemail. */
const MOBILE_ANSWERS_AFTER_MS = 2500

async function presenceOf(stage: Stage, user: string): Promise<PresenceState | undefined> {
  return (await stage.api.get<PresenceList>('/presence', { user })).states[0]
}

export const outbound: Step = {
  letter: 'a',
  title: 'alice (UDP, inside) dials 912065550100',
  async play(stage, saw) {
    const call = await stage.alice.call('912065550100')
    const invite = await stage.a.nextInvite((i) => i.number !== MOBILE)
    saw(`carrier A is asked for ${invite.number}, as its trunk wants numbers`, invite.number === '12065550100')
    await call.answered
    const view = await findCall(stage, 'alice → PSTN', (c) => c.dialled === '912065550100')
    saw(`912065550100 was normalised to ${view.to}`, view.to === '+12065550100')
    if (!invite.call) throw new Error('carrier A made no call of it')
    await hearEachOther(saw, ['alice', call], ['the PSTN', invite.call])
    const busy = await eventually('alice shown as on the phone', 2000, async () => {
      const state = await presenceOf(stage, 'alice')
      return state?.activities.includes('on-the-phone') ? state : undefined
    })
    saw(
      `presence shows alice ${busy.value.availability}, on the phone${busy.value.device ? ` (${busy.value.device})` : ''}`,
    )
    await pause(1000)
    await call.hangUp()
    const end = await invite.call.ended
    saw('she hangs up, and the carrier hears it', end.why === 'hung-up', `it ended by ${end.why}`)
  },
}

export const inbound: Step = {
  letter: 'b',
  title: "the PSTN calls alice's DID",
  async play(stage, saw) {
    const calling = stage.a.call({ from: CALLER, to: '14255551001', name: 'Visitor' })
    const rings = await stage.alice.nextCall()
    const call = await calling
    saw(`alice's phone rings: ${rings.peer.replace(/;.*/, '')}`)
    // taken here, so that step d does not mistake it for its own
    const toMobile = stage.helped ? undefined : await stage.a.nextInvite((i) => i.number === MOBILE)
    await rings.answer()
    await call.answered
    if (toMobile) {
      const stopped = await toMobile.call?.ended
      saw('and her mobile, until she picks up at her desk', stopped?.why === 'cancelled', `it ended by ${stopped?.why}`)
    } else saw('and nothing else: she dialled 911 not long ago, and this may be emergency services that call back')
    await findCall(stage, 'PSTN → alice', (c) => c.to === '+14255551001')
    await hearEachOther(saw, ['the PSTN', call], ['alice', rings])
    await pause(500)
    await call.hangUp()
    await rings.ended
    saw('the PSTN hangs up, and so does her phone')
  },
}

export const remote: Step = {
  letter: 'c',
  title: `the PSTN calls bob, who is registered over TLS from another network (${ELSEWHERE})`,
  async play(stage, saw) {
    const calling = stage.a.call({ from: CALLER, to: '14255551002' })
    const rings = await stage.bob.nextCall()
    const call = await calling
    saw('bob rings outside the firewall')
    await rings.answer()
    await call.answered
    await findCall(stage, 'PSTN → bob', (c) => c.to === '+14255551002')
    await hearEachOther(saw, ['the PSTN', call], ['bob', rings])
    await pause(500)
    await rings.hangUp()
    await call.ended
    saw('inside or outside makes no difference')
  },
}

export const mobile: Step = {
  letter: 'd',
  title: 'the PSTN calls alice, and her mobile answers',
  async play(stage, saw) {
    // what comes from outside rings her phone alone for a while after 911
    if (stage.helped) saw('she dialled 911 not long ago: today bob calls her')
    stage.a.setPhone(MOBILE, { kind: 'answer', answerAfterMs: MOBILE_ANSWERS_AFTER_MS })
    try {
      const calling = stage.helped ? stage.bob.call('1001') : stage.a.call({ from: CALLER, to: '14255551001' })
      const [desk, toMobile] = await Promise.all([
        stage.alice.nextCall(),
        stage.a.nextInvite((i) => i.number === MOBILE),
      ])
      saw(`her desk phone rings, and her mobile too, through the trunk (${toMobile.number})`)
      const call = await calling
      await call.answered
      const busy = await eventually('alice shown as on the phone (mobile)', 1000, async () => {
        const state = await presenceOf(stage, 'alice')
        return state?.activities.includes('on-the-phone') && state.device === 'mobile' ? state : undefined
      })
      saw(`presence shows alice ${busy.value.availability}, on the phone (${busy.value.device}), after ${busy.ms} ms`)
      const silent = await desk.ended
      saw('her desk phone stops ringing', silent.why === 'cancelled', `it ended by ${silent.why}`)
      const who = stage.helped ? 'bob' : 'the PSTN'
      await findCall(stage, `${who} → alice, on her mobile`, (c) => c.to === '+14255551001')
      if (!toMobile.call) throw new Error('the mobile has no call')
      await hearEachOther(saw, [who, call], ['her mobile', toMobile.call])
      await call.hangUp()
      const free = await eventually('alice available again', 1000, async () => {
        const state = await presenceOf(stage, 'alice')
        return state?.availability === 'available' ? state : undefined
      })
      saw(`and available again ${free.ms} ms after the end`)
    } finally {
      stage.a.setPhone(MOBILE, 'ring')
    }
  },
}

const failover = (title: string, letter: string, behaviour: 'silent' | { status: number }): Step => ({
  letter,
  title,
  async play(stage, saw) {
    stage.a.setBehaviour(behaviour)
    try {
      const began = performance.now()
      const call = await stage.alice.call('912065550100')
      const atA = await stage.a.nextInvite((i) => i.number !== MOBILE)
      const how = behaviour === 'silent' ? 'takes the INVITE and sends nothing' : `answers ${behaviour.status}`
      saw(`carrier A ${how} (${atA.number})`)
      const atB = await stage.b.nextInvite(() => true, 8000)
      const after = ((performance.now() - began) / 1000).toFixed(1)
      saw(`carrier B, where we are registered with digest, is asked after ${after} s`)
      await call.answered
      await findCall(stage, 'alice → PSTN, through carrier B', (c) => c.dialled === '912065550100')
      if (!atB.call) throw new Error('carrier B made no call of it')
      await hearEachOther(saw, ['alice', call], ['the PSTN', atB.call])
      await pause(500)
      await call.hangUp()
      await atB.call.ended
    } finally {
      stage.a.setBehaviour('answer')
    }
  },
})

export const silentCarrier = failover('carrier A is silent', 'f', 'silent')
export const refusingCarrier = failover('carrier A answers 503', 'f', { status: 503 })
