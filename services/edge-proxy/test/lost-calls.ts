/** What tests of lost edges kill, call and look for: users, calls of every kind, and the records that are left of them. */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import type { ConfigurationDocument } from '@tandem/config/schema.ts'
import type { LegRecord } from '@tandem/contracts/call.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'
import { plan, toUser } from './call-edge.ts'
import { until, WITHIN } from './edge-processes.ts'
import { SrtpPhone } from './srtp-phone.ts'
import { PASSWORDS, testConfiguration } from './start-edge.ts'
import { A, B, startTwoEdges, type Talk, type TwoEdges } from './two-edges.ts'

/** In no site's network. */
export const OUTSIDE = '127.0.0.2'
export const PSTN = '+12065550100'
export const BOB = '+14255551002'
export const ERIN = '+14255551005'
/** Of all but bob. */
export const PASSWORD = PASSWORDS.ALICE_PASSWORD

const { users } = testConfiguration()
const { alice } = users
assert.ok(alice)
const like = (n: number) => ({ ...alice, did: `+1425555100${n}`, extension: `100${n}` })
/** Alice, bob, carol, whose phone has SRTP, dave and erin. */
export const USERS: ConfigurationDocument['users'] = {
  ...users,
  carol: { ...like(3), srtp: 'required' },
  dave: like(4),
  erin: like(5),
}
const NUMBERS: Readonly<Record<string, string>> = { '1004': 'dave', [BOB]: 'bob', [ERIN]: 'erin' }

/** Those of users ring them. */
export const decide = (dialled: string) => {
  const user = NUMBERS[dialled]
  return user === undefined ? undefined : plan([toUser(user)], { dialled })
}

/** Two edges whose audio is by one rtpengine, with a listener for browsers; the first of them runs. */
export async function startWebHouse(control: string): Promise<TwoEdges> {
  const house = await startTwoEdges({
    media: { relay: 'rtpengine', control: [control] },
    listen: ({ more }) => ({ web: { url: `ws://127.0.0.1:${more}`, digest: ['md5'] } }),
    document: { users: USERS },
    decide,
  })
  await house.edges.start('edge-a', A)
  return house
}

/** Killed under so many calls: all of them are at A within 5 s. */
export async function killed(house: TwoEdges, edge: ChildProcess, calls: number): Promise<void> {
  await until('all are written down', async () => (await house.keys()).length === calls)
  await house.edges.end(edge, 'SIGKILL')
  const at = performance.now()
  await until('the other edge has all', async () => (await house.edges.calls())['edge-a'] === calls)
  const ms = performance.now() - at
  assert.ok(ms < whenBusy(5000), `taken over after ${Math.round(ms)} ms`)
}

/** This side hangs up. */
export async function ends(talk: Talk, side: 0 | 1): Promise<void> {
  await talk[side].hangUp()
  assert.deepEqual(await talk[1 - side]?.ended, { by: 'peer', why: 'hung-up' })
}

/** A phone takes one call after the other. */
export const inTurn = async (call: () => Promise<Talk>): Promise<[Talk, Talk]> => [await call(), await call()]

/** The records of both legs of a call, by the Call-ID of one. */
export async function recordsOf(house: TwoEdges, callId: string): Promise<readonly LegRecord[]> {
  const id = () => house.records.find((r) => r.sipCallId === callId)?.callId
  const legs = () => house.records.filter((r) => r.callId === id())
  await until('a record of each leg', () => legs().length >= 2)
  return legs()
}

export async function recorded(house: TwoEdges, callId: string, endedBy: string, takeovers: number): Promise<void> {
  const legs = await recordsOf(house, callId)
  assert.equal(new Set(legs.map((r) => r.legId)).size, 2)
  for (const r of legs)
    assert.deepEqual([r.endedBy, r.estimated, r.takeovers ?? 0, r.durationMs > 500], [endedBy, false, takeovers, true])
}

export type SecureTalk = readonly [phone: SrtpPhone, far: CallHandle]

/** Carol calls from a phone at B. */
export async function secureCall(house: TwoEdges, number: string): Promise<SecureTalk> {
  const phone = await SrtpPhone.register({ port: house.ports.inside, address: B }, 'carol', PASSWORD)
  house.atClose.push(() => phone.close())
  const coming = house.itsp.nextInvite((i) => i.number === number && i.call !== undefined, WITHIN)
  await phone.call('carol', `9${number}`)
  const talk = [phone, (await coming).call as CallHandle] as const
  await decoded(talk)
  return talk
}

/** Both hear the other in what comes from now on. */
export async function decoded([phone, far]: SecureTalk): Promise<void> {
  const before = far.audio.packetsReceived
  await until('the carrier gets packets', () => far.audio.packetsReceived > before + 60)
  await Promise.all([phone.hears(far.audio.tone), far.audio.hears(phone.tone, WITHIN)])
}

/** The edge at this address has its call, and says so. */
export async function secureAnew(talk: SecureTalk, address: string): Promise<void> {
  talk[0].moveTo(address)
  await talk[0].toldAnew()
  await decoded(talk)
}

/** The phone hangs up, or the carrier does. */
export async function secureEnds(house: TwoEdges, [phone, far]: SecureTalk, by: 'caller' | 'callee'): Promise<void> {
  if (by === 'callee') await Promise.all([phone.hungUp(), far.hangUp()])
  else {
    await phone.hangUp()
    assert.deepEqual(await far.ended, { by: 'peer', why: 'hung-up' })
  }
  await recorded(house, phone.callId, by, 1)
}
