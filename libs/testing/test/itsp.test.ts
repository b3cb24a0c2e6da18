import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Itsp, type ItspParts, startItsp } from '../src/itsp.ts'
import { type Phone, type PhoneParts, startPhone } from '../src/phone.ts'

async function trunk(
  run: (itsp: Itsp, pbx: Phone) => Promise<void>,
  parts: { itsp?: Partial<ItspParts>; phone?: Partial<PhoneParts>; transport?: 'udp' | 'tcp' } = {},
): Promise<void> {
  const itsp = await startItsp({ name: 'Carrier A', ...parts.itsp })
  const server = `${parts.transport ?? 'udp'}://${itsp.host}:${itsp.port}`
  const pbx = await startPhone({ name: 'acme', server, bind: '127.0.0.3', ...parts.phone })
  try {
    await run(itsp, pbx)
  } finally {
    await pbx.close()
    await itsp.close()
  }
}

for (const transport of ['udp', 'tcp'] as const) {
  test(`a call to the PSTN over ${transport} is answered and both hear each other`, () =>
    trunk(
      async (itsp, pbx) => {
        const call = await pbx.call('12065550100')
        await call.answered
        const invite = await itsp.nextInvite()
        assert.deepEqual([invite.number, invite.from, invite.transport], ['12065550100', 'acme', transport])
        assert.match(invite.body, /^v=0/)
        assert.ok(invite.call)
        await Promise.all([call.audio.hears(itsp.tone), invite.call.audio.hears(pbx.tone)])
        await call.hangUp()
        assert.deepEqual(await invite.call.ended, { by: 'peer', why: 'hung-up' })
      },
      { transport },
    ))
}

test('a trunk registers with digest, its calls are challenged, and PSTN calls reach its contact', () =>
  trunk(
    async (itsp, pbx) => {
      const ok = await pbx.register({ expires: 600 })
      assert.equal(ok.status, 200)
      assert.equal(pbx.registered, true)
      assert.equal(await itsp.nextRegistration(), 'acme')
      assert.equal(itsp.counts.get('REGISTER'), 2)
      const out = await pbx.call('12065550100')
      await out.answered
      await out.hangUp()
      assert.equal(itsp.received.length, 1)
      const placed = await itsp.call({ from: '+12065550111', to: '+14255551001', name: 'Pat' })
      const incoming = await pbx.nextCall()
      assert.match(incoming.peer, /"Pat" <sip:\+12065550111@/)
      await incoming.answer()
      await placed.answered
      await placed.audio.hears(pbx.tone)
      await placed.hangUp()
      await incoming.ended
      await pbx.unregister()
      assert.equal(itsp.registrations.size, 0)
    },
    { itsp: { digestAccounts: { acme: 'secret' } }, phone: { password: 'secret' } },
  ))

test('a wrong password registers nobody', () =>
  trunk(
    async (itsp, pbx) => {
      await assert.rejects(pbx.register(), /401/)
      assert.equal(itsp.registrations.size, 0)
    },
    { itsp: { digestAccounts: { acme: 'secret' } }, phone: { password: 'wrong' } },
  ))

test('a silent carrier takes the INVITE and sends nothing', () =>
  trunk(
    async (itsp, pbx) => {
      const call = await pbx.call('12065550100')
      const invite = await itsp.nextInvite()
      assert.equal(invite.number, '12065550100')
      await new Promise((resolve) => setTimeout(resolve, 800))
      assert.deepEqual(call.statuses, [])
      assert.equal(itsp.received.length, 1)
      assert.equal((await pbx.send('OPTIONS', 'sip:127.0.0.1')).status, 200)
    },
    { itsp: { behaviour: 'silent' } },
  ))

test('a carrier answers as told, for all numbers or for one', () =>
  trunk(
    async (itsp, pbx) => {
      const outcome = async (number: string) => (await (await pbx.call(number)).ended).status
      assert.equal(await outcome('12065550100'), 503)
      assert.equal(await outcome('+12065550142'), 486)
      itsp.setBehaviour({ status: 404, reason: 'Unallocated', ring: true })
      const call = await pbx.call('12065550100')
      assert.equal(await call.ringing, 180)
      assert.deepEqual(await call.ended, { by: 'peer', why: 'rejected', status: 404, reason: 'Unallocated' })
    },
    { itsp: { behaviour: { status: 503, headers: [['Retry-After', '5']] }, phones: { '12065550142': 'busy' } } },
  ))

test('an echoing phone sends back what it hears, and hangs up by itself', () =>
  trunk(
    async (_itsp, pbx) => {
      const call = await pbx.call('12065550100')
      await call.audio.hears(pbx.tone)
      assert.deepEqual(await call.ended, { by: 'peer', why: 'hung-up' })
    },
    { itsp: { behaviour: { kind: 'answer', answerAfterMs: 0, earlyMedia: true, echo: true, hangUpAfterMs: 600 } } },
  ))

test('a caller can give up a phone that only rings', () =>
  trunk(
    async (itsp, pbx) => {
      const call = await pbx.call('12065550100')
      await call.ringing
      assert.equal((await call.hangUp()).why, 'cancelled')
      assert.equal((await itsp.nextInvite()).call?.state, 'ended')
    },
    { itsp: { behaviour: 'ring' } },
  ))
