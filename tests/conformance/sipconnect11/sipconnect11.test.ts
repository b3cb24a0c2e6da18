/**
 * SIPconnect 1.1 (SC-IT.Conf) and the routing test plan beside it (RR.Tst.Plan), each scenario by its id: sipp is the
 * provider, the phones and the peers; a running edge is what is tested.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { steadyPort } from '@tandem/testing/ports.ts'
import { type CallEdge, plan, startCallEdge, toTrunk, toUser } from '../../../services/edge-proxy/test/call-edge.ts'
import { testConfiguration } from '../../../services/edge-proxy/test/start-edge.ts'
import { findSipp, type SippRun, startSipp } from '../../e2e/sipp.ts'

const skip = findSipp() === undefined ? 'sipp is not installed (Debian: sip-tester)' : false
const PASSWORD = '1234'
const DID = '+14255551101'
/** Where the provider takes calls, and from where it sends them. */
let provider = 0
let house: CallEdge

before(async () => {
  if (skip) return
  provider = await steadyPort()
  const base = testConfiguration()
  const user = (did: string) => ({ did, site: 'hq', policy: 'staff', password: { env: 'PHONE_PASSWORD' } })
  house = await startCallEdge({
    trunks: { 'itsp-b': providerTrunk() },
    document: { domain: 'sip.local', users: { ...base.users, '1001': user(DID), '1002': user('+14255551102') } },
    env: { PHONE_PASSWORD: PASSWORD, PROVIDER_PASSWORD: PASSWORD },
  })
})
after(async () => {
  await house?.close()
})

function providerTrunk(more: object = {}): object {
  return {
    to: ['sip:sip.provider.net'],
    outboundProxy: `sip:127.0.0.1:${provider}`,
    from: [`127.0.0.1:${provider}`],
    listener: 'carrier',
    trusted: true,
    options: { interval: '1h' },
    credentials: { user: 'pbx-1', password: { env: 'PROVIDER_PASSWORD' } },
    ...more,
  }
}

/** Changes the provider's trunk. */
async function withTrunk(more: object): Promise<void> {
  const { document, edge } = house
  await edge.apply({ ...document, trunks: { ...document.trunks, 'itsp-b': providerTrunk(more) } } as never)
}

const registers = (more: object = {}) => ({
  register: { registrar: 'sip:sip.provider.net', user: 'pbx-1', password: { env: 'PROVIDER_PASSWORD' }, ...more },
})

async function run(scenario: string, localPort: number, options: Partial<Parameters<typeof startSipp>[0]> = {}) {
  const { more = [], ...rest } = options
  const sipp = await startSipp({
    scenario: `../../conformance/sipconnect11/scenarios/${scenario}.xml`,
    localPort,
    calls: 1,
    timeout: 25,
    ...rest,
    // health checks of the trunk are no part of any scenario
    more: ['-aa', ...more],
  })
  if (options.target === undefined) await bound(localPort)
  return sipp
}

/**
 * The provider. The edge's health checks and what is left of the last registration are calls to sipp, too, so calls are
 * not counted: the scenario itself ends sipp when all of it has come.
 */
async function providerRuns(scenario: string, keys: Record<string, string> = {}): Promise<SippRun> {
  const sipp = await startSipp({
    scenario: `../../conformance/sipconnect11/scenarios/${scenario}.xml`,
    localPort: provider,
    timeout: 25,
    keys,
    more: ['-aa'],
  })
  await bound(provider)
  return sipp
}

/** sipp has opened its socket. */
async function bound(port: number): Promise<void> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  for (const until = performance.now() + 10_000; performance.now() < until; ) {
    const table = await readFile('/proc/net/udp', 'utf8').catch(() => undefined)
    if (table?.includes(`:${hex} `)) return
    // without such a table there is nothing to look at
    await new Promise((done) => setTimeout(done, table === undefined ? 500 : 20))
    if (table === undefined) return
  }
}

async function hasEnded(sipp: SippRun): Promise<void> {
  const { code, errors } = await sipp.done
  // sipp(1): "97: Exit on internal command": only a call that went through the whole scenario gets there
  assert.equal(code, 97, errors)
}

async function registrar(scenario: string, more: object, keys: Record<string, string> = {}): Promise<void> {
  const sipp = await providerRuns(scenario, keys)
  await withTrunk(registers(more))
  await hasEnded(sipp)
  await withTrunk({})
}

async function succeeds(...runs: readonly SippRun[]): Promise<void> {
  for (const one of runs) {
    const { successful, failed, errors, code } = await one.done
    assert.deepEqual([successful, failed], [1, 0], `sipp ended with ${code}: ${errors}`)
  }
}

/** A phone that registers and leaves its port to the scenario. */
async function phone(user: string): Promise<number> {
  const port = await steadyPort()
  const registering = await run('registration', port, {
    target: `127.0.0.1:${house.edge.port('inside')}`,
    keys: { username: user, domain: 'sip.local', expires: '300' },
    user,
    password: PASSWORD,
  })
  await succeeds(registering)
  return port
}

interface Dial {
  readonly as?: string
  readonly uri: string
  readonly from: string
  readonly to?: string
  readonly more?: readonly string[]
}

/** A caller: a phone that is challenged, or (without `as`) the provider's gateway. */
async function dial(scenario: string, { as, uri, from, to = uri, more = [] }: Dial): Promise<SippRun> {
  const target = `127.0.0.1:${house.edge.port(as === undefined ? 'carrier' : 'inside')}`
  return await run(scenario, as === undefined ? provider : await steadyPort(), {
    target,
    ...(as === undefined ? {} : { user: as, password: PASSWORD }),
    more: ['-set', 'requestURI', uri, '-set', 'from', from, '-set', 'to', to, '-d', '300', ...more],
  })
}

const toProvider = (number: string, more = {}) =>
  house.route(() => plan([toTrunk('itsp-b', number, { calling: DID, ...more })]))

test('SC-IT.Conf.1.1.1 Registration Setup: gin, path, bnc and the account of the provider', { skip }, async () => {
  await registrar('registration_setup', { bulk: true })
})

test('SC-IT.Conf.1.1.2 Registration Failure: another attempt when the provider said, until it is registered', {
  skip,
}, async () => {
  await registrar('registration_failure', {})
})

for (const [part, seconds] of [
  [1, 2],
  [2, 4],
  [3, 3],
] as const) {
  test(`SC-IT.Conf.1.1.3 Maintaining Registration (Part ${part}): renewed within the ${seconds} s that were granted`, {
    skip,
  }, async () => {
    await registrar('maintaining_registration', {}, { expires: String(seconds) })
  })
}

test('SC-IT.Conf.1.1.4 Authentication: the digest of the account', { skip }, async () => {
  await registrar('authentication', {})
})

test('SC-IT.Conf.1.3.1 INVITE of a DOD call: provider in Request-URI and To, an own number in From, P-Asserted-Identity', {
  skip,
}, async () => {
  toProvider('+17853178070')
  const callee = await providerRuns('dod_originating_call_parameters')
  const caller = await dial('uac_invite_privacy_none', {
    as: '1001',
    uri: 'sip:17853178070@sip.local',
    from: 'sip:1001@sip.local',
  })
  await succeeds(caller)
  await hasEnded(callee)
})

test('SC-IT.Conf.1.3.2 INVITE of a DID call (Parts A, B, C): known by its number, whatever To and host say', {
  skip,
}, async () => {
  const port = await phone('1001')
  house.route(({ dialled }) => (dialled === DID ? plan([toUser('1001')], { callee: { user: '1001' } }) : undefined))
  const callee = await run('did_terminating_call_part_abc', port)
  const caller = await dial('uac_invite_from_pstn_with_ip_auth', {
    uri: `sip:${DID}@trunk02.acme.com;user=phone`,
    from: 'sip:+17853178070@sip.provider.net;user=phone',
    to: 'sip:+12225553000@unknown.com;user=phone',
  })
  await succeeds(caller, callee)
})

test('SC-IT.Conf.1.3.3 Privacy of a DID call: the phone is told nobody', { skip }, async () => {
  const port = await phone('1001')
  const nobody = { caller: { number: '' } }
  house.route(() => plan([toUser('1001')], { callee: { user: '1001' }, ...nobody }))
  const callee = await run('did_terminating_call_privacy', port)
  const caller = await dial('uac_invite_from_pstn_with_ip_auth', {
    uri: `sip:${DID}@trunk02.acme.com;user=phone`,
    from: 'sip:anonymous@anonymous.invalid',
  })
  await succeeds(caller, callee)
})

test('SC-IT.Conf.1.3.4 Privacy of a DOD call (Part A): id, and nobody in From', { skip }, async () => {
  toProvider('+12225553000')
  const callee = await providerRuns('dod_originating_call_privacy_part_a')
  const caller = await dial('uac_invite', { as: '1001', uri: 'sip:12225553000@sip.local', from: 'sip:1001@sip.local' })
  await succeeds(caller)
  await hasEnded(callee)
})

test('SC-IT.Conf.1.3.4 Privacy of a DOD call (Part B): none', { skip }, async () => {
  toProvider('+12225553000')
  const callee = await providerRuns('dod_originating_call_privacy_part_b')
  const to = { as: '1001', uri: 'sip:12225553000@sip.local', from: 'sip:1001@sip.local' }
  await succeeds(await dial('uac_invite_privacy_none', to))
  await hasEnded(callee)
})

test('RR.Tst.Plan.1.1.1 CSeq: the caller has his own number back, however often the provider challenges us', {
  skip,
}, async () => {
  toProvider('+17853178070')
  const callee = await providerRuns('uas_proxy_auth')
  const caller = await dial('uac_invite', { as: '1001', uri: 'sip:17853178070@sip.local', from: 'sip:1001@sip.local' })
  await succeeds(caller)
  await hasEnded(callee)
})

const internal = { as: '1001', uri: 'sip:1002@sip.local', from: 'sip:1001@sip.local' }
const toPhone = () => house.route(() => plan([toUser('1002')], { callee: { user: '1002' } }))

test('RR.Tst.Plan.1.1.2 Agent to agent: the BYE of the callee', { skip }, async () => {
  const port = await phone('1002')
  toPhone()
  const callee = await run('uas_agent_to_agent_callee_bye', port, { more: ['-d', '1000'] })
  const caller = await dial('uac_invite_callee_bye', internal)
  await succeeds(callee, caller)
})

test('RR.Tst.Plan.1.1.3 Agent to agent: the CANCEL of the caller', { skip }, async () => {
  const port = await phone('1002')
  toPhone()
  const callee = await run('uas_agent_to_agent_caller_cancel', port)
  await succeeds(await dial('uac_invite_caller_cancel', internal), callee)
})

test('RR.Tst.Plan.1.1.4 Agent to agent: 603 of the callee', { skip }, async () => {
  const port = await phone('1002')
  toPhone()
  const callee = await run('uas_agent_to_agent_callee_declined', port)
  await succeeds(await dial('uac_invite_declined', internal), callee)
})

test('RR.Tst.Plan.1.2.1 Agent to PSTN: 603 of the provider', { skip }, async () => {
  toProvider('+12225553000')
  const callee = await providerRuns('uas_agent_to_pstn_provider_declined')
  const to = { as: '1001', uri: 'sip:12225553000@sip.local', from: 'sip:1001@sip.local' }
  await succeeds(await dial('uac_invite_declined', to))
  await hasEnded(callee)
})

test('RR.Tst.Plan.1.3.1 A peer that registers takes the calls of its number', { skip }, async () => {
  const port = await phone('1002')
  house.route(() => plan([toUser('1002')], { callee: { user: '1002' } }))
  const callee = await run('uas_peer_invite', port)
  const caller = await dial('uac_invite_from_pstn_with_ip_auth', {
    uri: 'sip:+18095863314@trunk03.acme.com',
    from: 'sip:+17853178070@unknown.com',
  })
  await succeeds(caller, callee)
})

test('RR.Tst.Plan.1.3.2 A peer originates a DOD call', { skip }, async () => {
  toProvider('+17853178070', { calling: '+18095863314' })
  const callee = await providerRuns('uas_peer_invite_with_dod_number')
  const caller = await dial('uac_peer_invite_with_dod_number', {
    as: '1002',
    uri: 'sip:+17853178070@unknown.com',
    from: 'sip:1002@unknown.com',
    more: ['-set', 'dodNumber', '+18095863314'],
  })
  await succeeds(caller)
  await hasEnded(callee)
})

for (const [id, why] of [
  ['1.4.1', 'one registered peer in round robin: all contacts of a user ring at once here'],
  ['1.4.2', 'least sessions: disabled in its origin, and no mode of Tandem'],
  ['1.5.1', 'two edges of a proxy network: disabled in its origin'],
] as const)
  test(`RR.Tst.Plan.${id}`, { skip: why }, () => {})
