/** STIR/SHAKEN (RFC 8224, 8225, 8226, 8588, 8946) with certificates made here, and on real INVITEs. */
import assert from 'node:assert/strict'
import { createPublicKey, sign, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { workWatch } from '@tandem/testing/when-busy.ts'
import fc from 'fast-check'
import { canonical, faultOf, type PassportClaims, readIdentity, writeIdentity } from '../src/domain/passport.ts'
import { leadsToAnchor, mayAssert, numberAuthority, readCertificates } from '../src/domain/stir-certificate.ts'
import { type Lookup, verdictOf } from '../src/domain/stir-verdict.ts'
import { type CallEdge, plan, startCallEdge, toTrunk, toUser } from './call-edge.ts'
import { makeCertificate } from './stir-certificates.ts'

const X5U = 'https://certificates.example/itsp.pem'
const OURS = 'https://certificates.example/acme.pem'
const authority = await makeCertificate({ name: 'STI authority' })
const stranger = await makeCertificate({ name: 'Somebody' })
const carrier = await makeCertificate({ name: 'SHAKEN 1234', issuer: authority, numbers: [{ spc: '1234' }] })
const acme = await makeCertificate({
  name: 'SHAKEN acme',
  issuer: authority,
  numbers: [{ start: '14255551000', count: 1000 }],
})

const now = () => Math.floor(Date.now() / 1000)
const claims = (more: Partial<PassportClaims> = {}): PassportClaims => ({
  ...{ attest: 'A', dest: { tn: ['14255551001'] }, iat: now(), orig: { tn: '12065550177' }, origid: 'one' },
  ...more,
})
const written = (more: Partial<PassportClaims> = {}, by = carrier, x5u = X5U) =>
  writeIdentity(x5u, more.div ? 'div' : 'shaken', claims(more), by.key)

const anchors = [new X509Certificate(authority.certificate)]
const lookup: Lookup = (url) =>
  url === X5U
    ? (readCertificates(carrier.certificate) ?? [])
    : url === OURS
      ? (readCertificates(acme.certificate) ?? [])
      : 'unknown'
const verdict = (values: readonly string[], orig = '12065550177', dest = '14255551001', find = lookup, date = now()) =>
  verdictOf(values, { orig, dest, nowMs: Date.now(), dateMs: date * 1000 }, anchors, find)

test('RFC 8224 8.3: numbers are digits only', () => {
  assert.equal(canonical('+1 (206) 555-0177'), '12065550177')
  assert.equal(canonical('alice'), undefined)
  assert.equal(canonical('911'), '911')
})

test('RFC 8225 9: header and claims in lexicographic order without white space; ES256 that others can check', () => {
  const value = written()
  const [header = '', body = ''] = value.split('.')
  assert.equal(
    Buffer.from(header, 'base64url').toString(),
    `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"${X5U}"}`,
  )
  assert.match(
    Buffer.from(body, 'base64url').toString(),
    /^\{"attest":"A","dest":\{"tn":\["14255551001"\]\},"iat":\d+,"orig":\{"tn":"12065550177"\},"origid":"one"\}$/,
  )
  assert.match(value, new RegExp(`;info=<${X5U}>;alg=ES256;ppt=shaken$`))
  const read = readIdentity(value)
  assert.ok(read)
  assert.equal(read.signature.length, 64)
  const key = createPublicKey(carrier.privateKey)
  const said = { orig: '12065550177', dest: '14255551001', now: now() }
  assert.equal(faultOf(read, key, said), undefined)
  assert.equal(faultOf(read, key, { ...said, now: now() + 61 })?.status, 403, 'RFC 8224 6.2.2: Stale Date')
  assert.equal(faultOf(read, key, { ...said, now: now() - 61 })?.status, 403)
  assert.equal(faultOf(read, key, { ...said, orig: '12065550178' })?.status, 438)
  assert.equal(faultOf(read, createPublicKey(stranger.privateKey), said)?.status, 438)
})

test('RFC 8225 7: the compact form is built anew from what the request says', () => {
  const full = written()
  const compact = full.replace(/^[^.]+\.[^.]+\./, '..')
  const key = createPublicKey(carrier.privateKey)
  const said = { orig: '12065550177', dest: '14255551001', now: now() }
  const read = readIdentity(compact, claims({ iat: readIdentity(full)?.claims.iat ?? 0 }))
  assert.ok(read)
  assert.equal(faultOf(read, key, said), undefined)
  const other = readIdentity(compact, claims({ orig: { tn: '12065550178' } }))
  assert.equal(other && faultOf(other, key, { ...said, orig: '12065550178' })?.status, 438)
  assert.equal(readIdentity(compact), undefined)
})

/** Without `ppt`: a compact form says no more than the request does (RFC 8224 4, RFC 8225 7). */
const baseline = (iat: number): string => {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const header = encode({ alg: 'ES256', typ: 'passport', x5u: X5U })
  const signed = `${header}.${encode({ dest: { tn: ['14255551001'] }, iat, orig: { tn: '12065550177' } })}`
  const signature = sign('sha256', Buffer.from(signed), { key: carrier.key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')};info=<${X5U}>;alg=ES256`
}
const compactOf = (full: string) => full.replace(/^[^.]+\.[^.]+\./, '..')

test('RFC 8224 4.1, 6.2: a compact form is as old as the Date of the request says', () => {
  const at = (date: number) => verdict([compactOf(baseline(date))], undefined, undefined, lookup, date)
  assert.deepEqual(at(now()), { verstat: 'TN-Validation-Passed', attestation: undefined })
  assert.equal(at(now() - 120).status, 403)
  assert.equal(at(now() + 120).status, 403)
  const other = verdict([compactOf(baseline(now()))], undefined, undefined, lookup, now() - 5)
  assert.equal(other.status, 438, 'signed with another Date')
  const none = { orig: '12065550177', dest: '14255551001', nowMs: Date.now(), dateMs: undefined }
  assert.equal(verdictOf([compactOf(baseline(now()))], none, anchors, lookup).status, 438, 'no Date, no iat')
  // 6.2, step 4: a full form has an iat of its own, which may differ from Date and be fresh
  assert.equal(verdict([baseline(now())], undefined, undefined, lookup, now() - 120).verstat, 'TN-Validation-Passed')
  assert.equal(verdict([compactOf(baseline(now())).replace('ES256', 'RS256')]).status, 438)
})

test('RFC 8226: the path to an anchor, and the numbers that a certificate speaks for', async () => {
  const at = Date.now()
  const chain = (pem: string) => readCertificates(pem) ?? []
  assert.ok(leadsToAnchor(chain(carrier.certificate), anchors, at))
  assert.ok(!leadsToAnchor(chain(carrier.certificate), [], at))
  assert.ok(!leadsToAnchor(chain(carrier.certificate), anchors, at + 20 * 86_400_000), 'it has run out')
  const false_ = await makeCertificate({
    name: 'x',
    issuer: { ...stranger, name: 'STI authority' },
    numbers: [{ spc: '1' }],
  })
  assert.ok(!leadsToAnchor(chain(false_.certificate), anchors, at), 'the name of the authority, not its key')
  const middle = await makeCertificate({ name: 'middle', issuer: authority })
  const below = await makeCertificate({ name: 'below', issuer: middle, numbers: [{ one: '12065550100' }] })
  assert.ok(leadsToAnchor(chain(below.certificate + middle.certificate), anchors, at))
  assert.ok(!leadsToAnchor(chain(below.certificate), anchors, at))
  const under = await makeCertificate({ name: 'under', issuer: below, numbers: [{ spc: '1' }] })
  assert.ok(!leadsToAnchor(chain(under.certificate + below.certificate + middle.certificate), anchors, at), 'no CA')
  const range = numberAuthority(new X509Certificate(acme.certificate))
  assert.ok(
    range && mayAssert(range, '14255551999') && !mayAssert(range, '14255552000') && !mayAssert(range, '1425555100'),
  )
  assert.deepEqual(numberAuthority(new X509Certificate(carrier.certificate))?.providers, ['1234'])
  assert.equal(numberAuthority(new X509Certificate(authority.certificate)), undefined)
})

const encodeHeader = (header: string, ppt: string) =>
  Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(header, 'base64url').toString()), ppt })).toString('base64url')

test('what an Identity proves, and the status when it does not (RFC 8224 6.2.2)', () => {
  assert.deepEqual(verdict([written()]), { verstat: 'TN-Validation-Passed', attestation: 'A' })
  assert.equal(verdict([]).status, 428)
  const unknown = written()
    .replace(/^[^.]+/, (h) => encodeHeader(h, 'rph'))
    .replace('ppt=shaken', 'ppt=rph')
  assert.deepEqual([verdict([unknown]).status, verdict([unknown]).reason], [428, 'Use Supported PASSporT Format'])
  assert.deepEqual(verdict([written({}, carrier, 'https://elsewhere.example/x.pem')]), { verstat: 'No-TN-Validation' })
  assert.equal(verdict([written()], '12065550177', '14255551001', () => 'failed').status, 436)
  assert.equal(
    verdict([written()], '12065550177', '14255551001', () => readCertificates(stranger.certificate) ?? []).status,
    437,
  )
  assert.equal(verdict([written({}, acme, OURS)]).status, 437, 'its list does not hold the number')
  assert.equal(verdict([written({ iat: now() - 120 })]).status, 403)
  assert.equal(verdict([written()], '12065550178').status, 438)
  assert.equal(verdict([written()], '12065550177', '14255551002').status, 438, 'signed for another called number')
  assert.equal(verdict([`${written().slice(0, 60)};info=<${X5U}>`]).status, 438)
  // 6.2, step 1: a `ppt` that is not supported is passed over, whatever else stands there
  assert.equal(verdict([written().replace(/ppt=shaken/, 'ppt="rph"')]).status, 428)
  assert.equal(verdict([written().replace(/ppt=shaken/, 'ppt=rph'), 'nonsense']).status, 438)
  assert.equal(verdict([unknown, written()]).verstat, 'TN-Validation-Passed')
  // 6.2.1: one that is valid is enough; 6.2.2: 436 only when no certificate can be had
  const gone: Lookup = (url) => (url === OURS ? 'failed' : lookup(url))
  const elsewhere = written({}, acme, OURS)
  assert.equal(verdict([elsewhere, written()], undefined, undefined, gone).verstat, 'TN-Validation-Passed')
  assert.equal(verdict([elsewhere, written({ iat: now() - 120 })], undefined, undefined, gone).status, 403)
  assert.equal(verdict([elsewhere], undefined, undefined, gone).status, 436)
})

test('RFC 8946: a call that was sent on proves each step', () => {
  const div = written(
    { attest: undefined, origid: undefined, dest: { tn: ['12065550190'] }, div: { tn: '14255551001' } } as never,
    acme,
    OURS,
  )
  assert.deepEqual(verdict([written(), div], '12065550177', '12065550190'), {
    verstat: 'TN-Validation-Passed',
    attestation: 'A',
  })
  const forged = written({ dest: { tn: ['12065550190'] }, div: { tn: '12065550111' } } as never, acme, OURS)
  assert.equal(verdict([written({ dest: { tn: ['12065550111'] } }), forged], '12065550177', '12065550190').status, 437)
})

test('no text makes the readers throw', () => {
  fc.assert(
    fc.property(fc.string(), fc.base64String(), fc.base64String(), (text, a, b) => {
      readIdentity(text, claims())
      readIdentity(`${a}.${b}.${a};info=<${X5U}>`)
      readCertificates(`-----BEGIN CERTIFICATE-----${a}-----END CERTIFICATE-----`)
      verdict([text, `${a}.${b}.AA;info=<${X5U}>;ppt=shaken`])
    }),
  )
})

let house: CallEdge
let folder = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-stir-'))
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }
  house = await startCallEdge({
    trunks: {
      'itsp-a': { stir: { sign: { x5u: OURS, key: { file: await file('acme.key', acme.privateKey) } } } },
      'itsp-b': { stir: { verify: { missing: 'allow', invalid: 'reject' } } },
    },
    edge: {
      stir: {
        anchors: [await file('anchor.pem', authority.certificate)],
        certificates: { [X5U]: await file('carrier.pem', carrier.certificate) },
      },
    } as never,
  })
})
after(async () => {
  await house.close()
  await rm(folder, { recursive: true, force: true })
})

test('a call that goes out is signed: full for a number of ours, partial for another; 911 too', async () => {
  const cases = [
    ['+14255551001', 'A'],
    ['+18005550199', 'B'],
  ] as const
  for (const [calling, level] of cases) {
    house.route(() => plan([toTrunk('itsp-a', '12065550100', { calling })]))
    const call = await house.alice.call('912065550100')
    await call.answered
    const { request } = await house.itspA.nextInvite((i) => i.number === '12065550100')
    const passport = readIdentity(request.headers.get('identity') ?? '')
    assert.ok(passport)
    assert.equal(Date.parse(request.headers.get('date') ?? ''), passport.claims.iat * 1000, 'RFC 8224 6.1, step 3')
    assert.equal(passport.claims.attest, level)
    assert.deepEqual(passport.claims.orig, { tn: calling.slice(1) })
    const said = { orig: calling.slice(1), dest: '12065550100', now: now() }
    assert.equal(faultOf(passport, createPublicKey(acme.privateKey), said), undefined)
    await call.hangUp()
    const records = await house.ended(2)
    assert.equal(records.find((r) => r.party.kind === 'trunk')?.attestation, level)
  }
  house.route(() => undefined)
  const help = await house.bob.call('911')
  await help.answered
  const { request } = await house.itspA.nextInvite((i) => i.number === '911')
  assert.deepEqual(readIdentity(request.headers.get('identity') ?? '')?.claims.dest, { tn: ['911'] })
  await help.hangUp()
})

test('a number that is withheld is not told by a signature', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550101', { calling: 'anonymous', headers: [['Privacy', 'id']] })]))
  const call = await house.alice.call('912065550101')
  await call.answered
  const { request } = await house.itspA.nextInvite((i) => i.number === '12065550101')
  assert.equal(request.headers.get('identity'), undefined)
  await call.hangUp()
})

test('a call that comes in is looked at: the phone and the record are told', async () => {
  house.route(() => plan([toUser('alice')], { caller: { number: '+12065550177' }, callee: { user: 'alice' } }))
  const call = house.itspB.call({ from: '+12065550177', to: '+14255551001', headers: [['Identity', written()]] })
  const rung = await house.alice.nextCall()
  assert.match(rung.invite.headers.get('p-asserted-identity') ?? '', /;verstat=TN-Validation-Passed@/)
  await rung.answer()
  await (await call).answered
  await rung.hangUp()
  const record = (await house.ended(2)).find((r) => r.role === 'caller')
  assert.deepEqual([record?.verstat, record?.attestation], ['TN-Validation-Passed', 'A'])
  const plain = house.itspB.call({ from: '+12065550177', to: '+14255551001' })
  const second = await house.alice.nextCall()
  assert.match(second.invite.headers.get('p-asserted-identity') ?? '', /verstat=No-TN-Validation@/)
  second.reject()
  await assert.rejects((await plain).answered)
})

test('one that proves wrong is refused where the trunk says so', async () => {
  const asked = house.questions.length
  for (const [identity, status] of [
    [written({ orig: { tn: '12065550199' } }), 438],
    [written({ iat: now() - 300 }), 403],
    [written({}, stranger), 438],
  ] as const) {
    const call = await house.itspB.call({ from: '+12065550177', to: '+14255551001', headers: [['Identity', identity]] })
    await assert.rejects(call.answered, new RegExp(String(status)))
  }
  assert.equal(house.questions.length, asked)
})

test('RFC 8946: a call that is forwarded goes on with its Identity and a div of ours', async () => {
  house.route(() =>
    plan([toTrunk('itsp-a', '12065550190', { calling: '+12065550177' })], {
      ...{ caller: { number: '+12065550177' }, normalised: '+14255551001', dialled: '+14255551001' },
      callee: { user: 'alice', number: '+14255551001' },
    }),
  )
  const call = await house.itspB.call({ from: '+12065550177', to: '+14255551001', headers: [['Identity', written()]] })
  await call.answered
  const { request } = await house.itspA.nextInvite((i) => i.number === '12065550190')
  const values = request.headers.getAll('identity')
  assert.equal(values.length, 2)
  assert.equal(verdict(values, '12065550177', '12065550190').verstat, 'TN-Validation-Passed')
  await call.hangUp()
})

test('signing takes no time that a caller would notice', () => {
  const took = workWatch()
  for (let i = 0; i < 500; i++) written()
  assert.ok(took() / 500 < 5, 'ms each')
})
