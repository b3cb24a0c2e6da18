import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import {
  type Algorithm,
  authorize,
  challenge,
  ha1,
  pickChallenge,
  readAuthorization,
  type VerifyQuestion,
  verify,
} from '../src/auth/digest.ts'
import { checkNonce, makeNonce, nonceCounts, useCount } from '../src/auth/nonce.ts'

const ALL: readonly Algorithm[] = ['SHA-256', 'SHA-256-sess', 'SHA-512-256', 'SHA-512-256-sess', 'MD5', 'MD5-sess']

/** RFC 7616 3.9.1. */
const MUFASA = {
  username: 'Mufasa',
  secret: { password: 'Circle of Life' },
  method: 'GET',
  uri: '/dir/index.html',
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
}

function mufasaChallenge(algorithm: string): string {
  return `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
}

test('RFC 7616 3.9.1: the response with MD5 is that of the RFC', () => {
  const value = authorize({ ...MUFASA, challenges: [mufasaChallenge('MD5')] })
  assert.equal(readAuthorization(value ?? '')?.response, '8ca523f5e9506fed4657c9700eebdbec')
})

test('RFC 7616 3.9.1: the response with SHA-256 is that of the RFC', () => {
  const value = authorize({ ...MUFASA, challenges: [mufasaChallenge('SHA-256')] })
  const expected = '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'
  assert.equal(readAuthorization(value ?? '')?.response, expected)
  assert.equal(readAuthorization(value ?? '')?.opaque, 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS')
})

// The response printed in RFC 7616 3.9.2 is known to be wrong; its errata and other implementations give this one.
test('RFC 7616 3.9.2: SHA-512-256 with username* gives the response of the erratum', () => {
  const outcome = verify({
    authorization:
      'Digest username*=UTF-8\'\'J%C3%A4s%C3%B8n%20Doe, realm="api@example.org", uri="/doe.json", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001, cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", qop=auth, response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", userhash=false',
    method: 'GET',
    realm: 'api@example.org',
    secret: { password: 'Secret, or not?' },
    checkNonce: () => 'fresh',
  })
  assert.deepEqual(outcome, {
    kind: 'ok',
    username: 'Jäsøn Doe',
    algorithm: 'SHA-512-256',
    nonce: '5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK',
  })
})

// RFC 2069 2.1.1 as corrected by its erratum: no qop, no cnonce (RFC 3261 22.4 item 8 keeps such clients alive).
test('RFC 2069: a response without qop is checked as MD5 and its nonce is good for one request', () => {
  const counts = nonceCounts(10)
  const nonce = makeNonce('s', 1000, new Uint8Array(8))
  const value = authorize({
    ...MUFASA,
    method: 'REGISTER',
    uri: 'sip:acme.example',
    challenges: [`Digest realm="acme", nonce="${nonce}"`],
  })
  assert(value && !/qop|cnonce|nc=/.test(value))
  const question: VerifyQuestion = {
    authorization: value,
    method: 'REGISTER',
    uri: 'sip:acme.example',
    realm: 'acme',
    secret: MUFASA.secret,
    checkNonce: (text) => checkNonce('s', text, 1500, 1000),
    useCount: (text, nc) => useCount(counts, text, nc),
  }
  assert.equal(verify(question).kind, 'ok')
  assert.equal(verify(question).kind, 'stale')
})

test('RFC 8760 2.3: each algorithm has a challenge of its own, in the order of preference', () => {
  const values = challenge({ realm: 'acme.example', nonce: 'abc', algorithms: ['SHA-256', 'MD5'], stale: true })
  assert.deepEqual(values, [
    'Digest realm="acme.example", nonce="abc", algorithm=SHA-256, qop="auth", stale=true',
    'Digest realm="acme.example", nonce="abc", algorithm=MD5, qop="auth", stale=true',
  ])
})

test('RFC 8760 2.4: the topmost challenge that is understood is answered, others are ignored', () => {
  const values = [
    'NoOneKnowsThisScheme opaque-data=here',
    'Digest realm="a", nonce="1", algorithm=SHA-3000, qop="auth"',
    'Digest realm="a", nonce="2", algorithm=SHA-256, qop="token"',
    'Digest realm="a", nonce="3", algorithm=sha-256, qop="auth-int,auth"',
    'Digest realm="a", nonce="4", algorithm=MD5, qop="auth"',
  ]
  assert.equal(pickChallenge(values)?.nonce, '3')
  assert.equal(pickChallenge(values)?.algorithm, 'SHA-256')
  assert.equal(pickChallenge(values)?.qop, 'auth')
  assert.equal(pickChallenge(values.slice(0, 3)), undefined)
  assert.match(authorize({ ...MUFASA, challenges: values }) ?? '', /algorithm=sha-256, qop=auth, nc=00000001/)
})

const arbitraryText = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => !/[\r\n]/.test(text))

test('what authorize answers, verify accepts: any algorithm, name, password, realm, method and body', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ALL),
      arbitraryText,
      fc.string(),
      arbitraryText,
      fc.constantFrom('INVITE', 'REGISTER', 'BYE'),
      fc.constantFrom<readonly ('auth' | 'auth-int')[]>(['auth'], ['auth-int'], ['auth', 'auth-int']),
      fc.uint8Array({ maxLength: 50 }),
      fc.integer({ min: 1, max: 0xffff_ffff }),
      (algorithm, username, password, realm, method, qop, body, nc) => {
        const nonce = makeNonce('secret', 1000, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), realm)
        const uri = 'sip:acme.example;transport=tls'
        const challenges = challenge({ realm, nonce, algorithms: [algorithm], qop, opaque: 'o"p\\aque' })
        const secret = { password }
        const value = authorize({ challenges, username, secret, method, uri, cnonce: 'c', nc, body })
        assert(value)
        const question: VerifyQuestion = {
          authorization: value,
          method,
          uri,
          realm,
          secret,
          body,
          checkNonce: (text) => checkNonce('secret', text, 1000, 60_000, realm),
        }
        assert.deepEqual(verify(question), { kind: 'ok', username, algorithm, nonce })
        assert.equal(verify({ ...question, secret: { password: `${password}x` } }).kind, 'wrong')
        assert.equal(verify({ ...question, method: 'OPTIONS' }).kind, 'wrong')
        assert.equal(verify({ ...question, realm: `${realm}x` }).kind, 'wrong')
        assert.equal(verify({ ...question, checkNonce: () => 'expired' }).kind, 'stale')
        assert.equal(verify({ ...question, checkNonce: () => 'foreign' }).kind, 'stale')
        assert.equal(verify({ ...question, uri: 'sip:other.example' }).kind, 'malformed')
        const offered = ALL.filter((one) => one !== algorithm)
        assert.equal(verify({ ...question, algorithms: offered }).kind, 'unknown-algorithm')
      },
    ),
    { numRuns: 200 },
  )
})

test('a stored hash serves as well as the password, for its own hash only', () => {
  const secret = { ha1: { 'SHA-256': ha1('SHA-256', 'alice', 'acme', 'pa55') } }
  const answer = (algorithm: Algorithm): string | undefined => {
    const challenges = challenge({ realm: 'acme', nonce: 'n', algorithms: [algorithm] })
    return authorize({
      challenges,
      username: 'alice',
      secret: { password: 'pa55' },
      method: 'BYE',
      uri: 'sip:a',
      cnonce: 'c',
    })
  }
  const question = { method: 'BYE', realm: 'acme', secret, checkNonce: () => 'fresh' as const }
  assert.equal(verify({ ...question, authorization: answer('SHA-256') ?? '' }).kind, 'ok')
  assert.equal(verify({ ...question, authorization: answer('SHA-256-sess') ?? '' }).kind, 'ok')
  assert.equal(verify({ ...question, authorization: answer('MD5') ?? '' }).kind, 'wrong')
})

test('credentials that lack or repeat something are malformed, not wrong', () => {
  const good = 'Digest username="a", realm="r", nonce="n", uri="sip:x", response="00"'
  const question = { method: 'BYE', realm: 'r', secret: { password: '' }, checkNonce: () => 'fresh' as const }
  const kind = (authorization: string): string => verify({ ...question, authorization }).kind
  assert.equal(kind(good), 'wrong')
  for (const bad of [
    '',
    'Basic YTpi',
    'Digest',
    'Digest username="a"',
    good.replace('username="a", ', ''),
    `${good}, realm="r"`,
    `${good}, username*=UTF-8''a`,
    `${good}, qop=auth`,
    `${good}, qop=auth, cnonce="c"`,
    `${good}, qop=auth, cnonce="c", nc=1`,
    `${good}, qop=both, cnonce="c", nc=00000001`,
    `${good}, algorithm=SHA-256`,
    `${good}, `,
    `${good} opaque="x"`,
    good.replace('"sip:x"', '"sip:x'),
  ]) {
    assert.equal(kind(bad), 'malformed', bad)
  }
})

test('a nonce is good for its secret, its binding and its lifetime only', () => {
  const salt = Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2)
  const nonce = makeNonce('secret', 1_700_000_000_000, salt, 'acme')
  const at = (ms: number, secret = 'secret', binding = 'acme', text = nonce): string =>
    checkNonce(secret, text, 1_700_000_000_000 + ms, 30_000, binding)
  assert.equal(at(0), 'fresh')
  assert.equal(at(30_000), 'fresh')
  assert.equal(at(30_001), 'expired')
  assert.equal(at(-1), 'expired')
  assert.equal(at(0, 'other'), 'foreign')
  assert.equal(at(0, 'secret', 'other'), 'foreign')
  assert.equal(at(0, 'secret', 'acme', `B${nonce.slice(1)}`), 'foreign')
  assert.equal(at(0, 'secret', 'acme', nonce.slice(1)), 'foreign')
  assert.equal(at(0, 'secret', 'acme', ''), 'foreign')
  assert.notEqual(makeNonce('secret', 1_700_000_000_000, Uint8Array.of(1), 'acme'), nonce)
  fc.assert(fc.property(fc.string({ maxLength: 60 }), (text) => checkNonce('secret', text, 0, 1, 'acme') === 'foreign'))
})

test('a nonce count is taken once, in any order within a window', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 100 }), (uses) => {
      const counts = nonceCounts(4)
      const nonce = makeNonce('s', 5, new Uint8Array(8))
      const taken = new Set<number>()
      let highest = 0
      for (const nc of uses) {
        const expected = !taken.has(nc) && nc >= highest - 32
        assert.equal(useCount(counts, nonce, nc), expected)
        if (expected) taken.add(nc)
        highest = Math.max(highest, nc)
      }
    }),
  )
})

test('the memory of nonces is bounded, and a forgotten nonce cannot be replayed', () => {
  const counts = nonceCounts(3)
  const nonces = Array.from({ length: 10 }, (_, i) => makeNonce('s', 1000 + i, Uint8Array.of(i, 1)))
  for (const nonce of nonces) assert.equal(useCount(counts, nonce, 1), true)
  assert.equal(counts.seen.size, 3)
  for (const nonce of nonces) assert.equal(useCount(counts, nonce, 1), false)
  assert.equal(useCount(counts, makeNonce('s', 2000, Uint8Array.of(1)), 1), true)
})

test('any text as credentials or challenge is read without harm, in time linear in its length', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const value of [text, `Digest ${text}`, `Digest realm="${text}", nonce=${text}`]) {
        readAuthorization(value)
        pickChallenge([value])
      }
    }),
  )
  const start = process.hrtime.bigint()
  for (const evil of [
    `Digest ${'a="\\'.repeat(3000)}`,
    `Digest ${' '.repeat(8000)}!`,
    `Digest a="${'\\'.repeat(8000)}`,
  ]) {
    assert.equal(readAuthorization(evil), undefined)
  }
  assert(process.hrtime.bigint() - start < 1_000_000_000n)
})
