/**
 * A service, NATS or the database hangs (SIGSTOP: it takes everything and answers nothing) or is killed (SIGKILL, and
 * nobody starts it again until the end of the test). Ordinary calls are refused at once and come
 * back by themselves; calls for help go out with the place all the same; calls that stand do not notice.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Cdr } from '@tandem/contracts/billing.ts'
import type { Phone } from '@tandem/testing/phone.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'
import { callOf, type Enterprise, hearEachOther, ROOM, startEnterprise } from './enterprise.ts'
import { eventually } from './platform.ts'

const WITHIN = 30_000
let here: Enterprise
let alice: Phone
let bob: Phone
const answered: CallHandle[] = []
let pids: Map<string, number>
let supervisor: number

before(async () => {
  here = await startEnterprise()
  alice = await here.insidePhone('alice')
  bob = await here.outsidePhone('bob')
  await readPids()
})
after(async () => await here?.close())

async function readPids(): Promise<void> {
  // `tandem status` fails while a part is away
  const text = await readFile(join(here.platform.data, 'run', 'state.json'), 'utf8')
  const state = JSON.parse(text) as { supervisor: { pid: number }; parts: { name: string; pid: number }[] }
  pids = new Map(state.parts.map((part) => [part.name, part.pid]))
  supervisor = state.supervisor.pid
}

/** The supervisor, which would start it again, stands still meanwhile. */
async function whileKilled(part: string, work: () => Promise<void>): Promise<void> {
  const pid = pids.get(part) ?? assert.fail(`no part ${part}`)
  process.kill(supervisor, 'SIGSTOP')
  try {
    process.kill(pid, 'SIGKILL')
    await work()
  } finally {
    process.kill(supervisor, 'SIGCONT')
  }
  await eventually(
    `${part} runs again`,
    async () => {
      await readPids()
      return pids.get(part) !== pid && pids.get(part) !== undefined
    },
    60_000,
  )
}

async function whileHung(parts: readonly string[], work: () => Promise<void>): Promise<void> {
  const hung = parts.map((part) => pids.get(part) ?? assert.fail(`no part ${part}`))
  for (const pid of hung) process.kill(pid, 'SIGSTOP')
  try {
    await work()
  } finally {
    for (const pid of hung) process.kill(pid, 'SIGCONT')
  }
}

/** An ordinary call is refused with 503 and Retry-After within a second. */
async function refusedAtOnce(): Promise<void> {
  const began = performance.now()
  const call = await alice.call('912065550120')
  await assert.rejects(call.answered)
  const after = performance.now() - began
  assert.equal((await call.ended).status, 503)
  assert.match(call.responses.at(-1)?.headers.get('retry-after') ?? '', /^\d+/)
  assert.ok(after <= whenBusy(1000), `refused after ${Math.round(after)} ms`)
}

/** A call for help reaches the carrier with her room, and they talk. */
async function helpIsReached(): Promise<void> {
  const call = await alice.call('911')
  const invite = await here.a.nextInvite((i) => /^911$|^urn:service:sos/.test(i.number), WITHIN)
  assert.match(invite.request.headers.get('geolocation') ?? '', /<cid:[^>]+>/)
  for (const [field, value] of Object.entries(ROOM))
    assert.match(invite.body, new RegExp(`<(?:\\w+:)?${field}>${value}</`), field)
  await call.answered
  answered.push(call)
  const far = await callOf(invite)
  await hearEachOther(call, far)
  await call.hangUp()
  assert.equal((await far.ended).why, 'hung-up')
}

/** Audio both ways, hold, resume, and a BYE from either side. */
async function goesOn(first: Talk, second: Talk): Promise<void> {
  for (const { call, far } of [first, second]) {
    const [here, there] = [call.audio.packetsReceived, far.audio.packetsReceived]
    await eventually(
      'audio goes on both ways',
      async () => call.audio.packetsReceived > here + 25 && far.audio.packetsReceived > there + 25,
      WITHIN,
    )
  }
  assert.equal(await first.call.hold(), 200)
  await eventually('the far end is held', async () => first.far.held, WITHIN)
  assert.equal(await first.call.resume(), 200)
  await first.call.hangUp()
  assert.deepEqual(await first.far.ended, { by: 'peer', why: 'hung-up' })
  await second.far.hangUp()
  assert.deepEqual(await second.call.ended, { by: 'peer', why: 'hung-up' })
}

interface Talk {
  readonly call: CallHandle
  readonly far: CallHandle
}

async function talk(phone: Phone, number: string): Promise<Talk> {
  const call = await phone.call(`9${number.slice(1)}`)
  const invite = await here.a.nextInvite((i) => i.number === number, WITHIN)
  await call.answered
  answered.push(call)
  const far = await callOf(invite)
  await hearEachOther(call, far)
  return { call, far }
}

/** Nobody does anything for it. */
async function worksAgain(): Promise<void> {
  await eventually(
    'an ordinary call is answered again',
    async () => {
      const call = await alice.call('912065550121')
      await call.answered
      answered.push(call)
      await call.hangUp()
      return true
    },
    60_000,
  )
}

test('routing hangs: an ordinary call is refused with 503 within a second, a call for help goes out with the room, and after it all is well again', async () => {
  await whileHung(['routing'], async () => {
    await refusedAtOnce()
    await helpIsReached()
  })
  await worksAgain()
})

test('routing and location hang: a call for help goes out with the room from the standing order', async () => {
  await whileHung(['routing', 'location'], helpIsReached)
  await worksAgain()
})

test('presence, billing and console hang: calls go on as if they did not', async () => {
  await whileHung(['presence', 'billing', 'console'], async () => {
    const began = performance.now()
    const { call, far } = await talk(alice, '12065550122')
    const after = performance.now() - began
    assert.ok(after <= whenBusy(1000), `both heard each other after ${Math.round(after)} ms`)
    await call.hangUp()
    await far.ended
  })
})

test('NATS hangs: calls that stand go on, are held, resumed and hung up; help is reached; the others are refused; after it all is well again', async () => {
  const first = await talk(alice, '12065550123')
  const second = await talk(bob, '12065550124')
  await whileHung(['nats'], async () => {
    await refusedAtOnce()
    await helpIsReached()
    await goesOn(first, second)
  })
  await worksAgain()
})

for (const part of ['routing', 'nats']) {
  test(`${part} is killed: calls that stand go on, are held, resumed and hung up; help is reached; the others are refused; after it all is well again`, async () => {
    const first = await talk(alice, '12065550125')
    const second = await talk(bob, '12065550126')
    await whileKilled(part, async () => {
      await refusedAtOnce()
      await helpIsReached()
      await goesOn(first, second)
    })
    await worksAgain()
  })
}

test('PostgreSQL hangs, then is killed: no call notices', async () => {
  await whileHung(['postgres'], async () => {
    const first = await talk(alice, '12065550127')
    await goesOn(first, await talk(bob, '12065550128'))
  })
  await whileKilled('postgres', async () => {
    const first = await talk(alice, '12065550129')
    await helpIsReached()
    await goesOn(first, await talk(bob, '12065550130'))
  })
})

interface Trunk {
  readonly name: string
  readonly state: { readonly health: string; readonly at?: string }
}

/** What the API says of trunk itsp-a, once it is that. */
async function itspA(fits: (state: Trunk['state']) => boolean): Promise<void> {
  await eventually(
    'itsp-a is shown so',
    async () => {
      const { trunks } = await here.platform.get<{ trunks: Trunk[] }>('/api/v1/trunks')
      return trunks.some(({ name, state }) => name === 'itsp-a' && fits(state))
    },
    WITHIN,
  )
}

/** Ordinary calls go over this carrier, as soon as everybody knows. */
async function goesOverTo(carrier: Enterprise['a'], number: string): Promise<void> {
  await eventually(
    `a call to ${number} over ${carrier.name}`,
    async () => {
      const call = await alice.call(`9${number.slice(1)}`)
      await call.answered
      answered.push(call)
      const taken = carrier.nextInvite((i) => i.number.endsWith(number), 100)
      const there = await taken.then(
        () => true,
        () => false,
      )
      await call.hangUp()
      return there
    },
    60_000,
  )
}

test('an operator drains a trunk: new calls take the other one, the call that stands goes on, and so it stays when the edge is killed and started again', async () => {
  const { platform, b } = here
  const standing = await talk(alice, '12065550131')
  const drained = await platform.tandemJson<{ trunk: string; draining: boolean }>('trunks', 'drain', 'itsp-a')
  assert.deepEqual([drained.trunk, drained.draining], ['itsp-a', true])
  await itspA(({ health }) => health === 'drain')
  assert.match((await platform.tandem('trunks')).stdout, /^itsp-a +drain\b/m)
  await goesOverTo(b, '12065550132')
  assert.equal(await standing.call.hold(), 200)
  assert.equal(await standing.call.resume(), 200)
  await hearEachOther(standing.call, standing.far)
  await standing.call.hangUp()
  assert.deepEqual(await standing.far.ended, { by: 'peer', why: 'hung-up' })
  const since = new Date().toISOString()
  await whileKilled('edge-proxy', async () => {})
  await itspA(({ health, at }) => health === 'drain' && at !== undefined && at > since)
  await alice.register()
  await goesOverTo(b, '12065550133')
  const back = await platform.tandemJson<{ draining: boolean }>('trunks', 'undrain', 'itsp-a')
  assert.equal(back.draining, false)
  await itspA(({ health }) => health !== 'drain')
  await goesOverTo(here.a, '12065550134')
})

test('no record was lost meanwhile: every answered call has its two legs', async () => {
  // a refused call has no leg that was answered
  const listed = await eventually(
    `${answered.length} answered calls among the CDRs`,
    async () => {
      const { cdrs } = await here.platform.tandemJson<{ cdrs: Cdr[] }>('cdrs')
      const legs = cdrs.filter((c) => c.answeredAt !== undefined)
      if (legs.length < answered.length * 2) throw new Error(`${legs.length} legs`)
      return legs
    },
    120_000,
  )
  assert.equal(listed.length, answered.length * 2)
  assert.equal(new Set(listed.map((c) => c.callId)).size, answered.length)
  for (const { media } of listed) assert.ok(media, 'its packets are counted')
})
