/** Who is shown to whom (RFC 3323, 3325, edge.md E13): PAI to and from trusted peers only, kept with privacy; 911 call-back. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { resolveConfiguration } from '@tandem/config/defaults.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { standingLocation } from '../src/domain/emergency-order.ts'
import { type CallEdge, plan, startCallEdge, toTrunk, toUser } from './call-edge.ts'
import { testConfiguration } from './start-edge.ts'

let house: CallEdge

before(async () => {
  house = await startCallEdge({ trunks: { 'itsp-a': { trusted: true }, 'itsp-b': { trusted: false } } })
})
after(async () => {
  await house.close()
})

async function sent(
  trunk: 'itsp-a' | 'itsp-b',
  calling: string,
  headers: [string, string][] = [],
): Promise<SipRequest> {
  const number = `1206555${String(Math.random()).slice(2, 6)}`
  house.route(() =>
    plan([toTrunk(trunk, number, { calling, headers: calling === 'anonymous' ? [['Privacy', 'id']] : [] })]),
  )
  const call = await house.alice.call(`9${number}`, { headers })
  await call.answered
  const { request } = await (trunk === 'itsp-a' ? house.itspA : house.itspB).nextInvite((i) => i.number === number)
  await call.hangUp()
  return request
}

const asserted = (request: SipRequest) => request.headers.get('p-asserted-identity')

test('a trusted carrier is told who calls; another is shown From only', async () => {
  assert.match(asserted(await sent('itsp-a', '+14255551001')) ?? '', /<sip:\+14255551001@acme\.example>/)
  const stranger = await sent('itsp-b', '+14255551001')
  assert.equal(asserted(stranger), undefined)
  assert.match(stranger.headers.get('from') ?? '', /\+14255551001/)
})

test('RFC 3323, 3325: with privacy From is anonymous, and the trusted carrier keeps the identity', async () => {
  for (const [calling, headers] of [
    ['anonymous', []],
    ['+14255551001', [['Privacy', 'id']]],
  ] as [string, [string, string][]][]) {
    const trusted = await sent('itsp-a', calling, headers)
    assert.match(trusted.headers.get('from') ?? '', /^"Anonymous" <sip:anonymous@anonymous\.invalid>/)
    assert.match(asserted(trusted) ?? '', /<sip:\+14255551001@acme\.example>/)
    assert.deepEqual(trusted.headers.getAll('privacy'), ['id'])
    const other = await sent('itsp-b', calling, headers)
    assert.equal(asserted(other), undefined)
    assert.ok(!JSON.stringify([...other.headers.entries()]).includes('14255551001'), 'nowhere else either')
  }
})

test('an emergency call never hides its caller', async () => {
  house.route(() => undefined)
  const call = await house.alice.call('911', {
    headers: [['Privacy', 'id']],
    from: '"Anonymous" <sip:anonymous@anonymous.invalid>',
  })
  await call.answered
  const { request } = await house.itspA.nextInvite((i) => i.number === '911')
  assert.match(asserted(request) ?? '', /\+1425555/)
  assert.doesNotMatch(request.headers.get('from') ?? '', /anonymous/i)
  assert.equal(request.headers.get('privacy'), undefined)
  await call.hangUp()
})

test('what a carrier asserts is believed from a trusted one only; privacy is kept towards the phone', async () => {
  house.route(() => plan([toUser('alice')], { caller: { number: '+12065550177' }, callee: { user: 'alice' } }))
  const headers: [string, string][] = [
    ['P-Asserted-Identity', '<sip:+12065550199@pstn.example>'],
    ['Privacy', 'id'],
  ]
  for (const [itsp, believed] of [
    [house.itspA, 'sip:+12065550199@pstn.example'],
    [house.itspB, undefined],
  ] as const) {
    const call = itsp.call({ from: 'anonymous', to: '+14255551001', headers })
    const rung = await house.alice.nextCall()
    assert.equal(house.questions.at(-1)?.assertedIdentity, believed)
    assert.equal(house.questions.at(-1)?.privacy, true)
    assert.match(rung.invite.headers.get('from') ?? '', /anonymous@anonymous\.invalid/)
    assert.equal(rung.invite.headers.get('p-asserted-identity'), undefined)
    rung.reject()
    await assert.rejects((await call).answered)
  }
})

test('without the router emergency services get the number by which the caller is reached again', () => {
  const base = testConfiguration()
  const written = (user: object, site: object, elins: Record<string, string[]>) => {
    const first = Object.keys(base.users)[0] as string
    const { did: _did, ...rest } = base.users[first] as Record<string, unknown>
    const users = { ...base.users, [first]: { ...rest, ...user } }
    const home = rest.site as string
    const sites = { ...base.sites, [home]: { ...base.sites[home], ...site } }
    const emergency = { ...base.emergency, elins: elins.home ? { [home]: elins.home } : {} }
    const configuration = resolveConfiguration({ ...base, users, sites, emergency } as typeof base)
    return standingLocation(configuration, { user: first, insideSite: home }).callback
  }
  const own = { did: '+14255551001', emergencyCallback: '+14255550000' }
  const site = { emergencyCallback: '+14255559999' }
  assert.equal(written(own, site, { home: ['+14255551900'] }), '+14255550000')
  assert.equal(written({ did: '+14255551001' }, site, { home: ['+14255551900'] }), '+14255551001')
  assert.equal(written({}, site, { home: ['+14255551900'] }), '+14255551900')
  assert.equal(written({}, site, {}), '+14255559999')
})
