/**
 * SRTP against outside truth: the vectors of RFC 3711 appendix B, a packet that libsrtp's own driver makes, and
 * node:crypto. (rtpengine and baresip are spoken to in media-engines.test.ts and tests/e2e/srtp-by-baresip.test.ts.)
 */
import assert from 'node:assert/strict'
import { createCipheriv, createHmac, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { HmacSha1 } from '../src/domain/srtp/hmac-sha1.ts'
import { PacketIndex } from '../src/domain/srtp/packet-index.ts'
import { usable, written } from '../src/domain/srtp/sdes.ts'
import { AesCounter, SUITES, type Suite, sessionKeys } from '../src/domain/srtp/session-keys.ts'
import { SrtpContext } from '../src/domain/srtp/srtp-context.ts'
import { rtp } from './rtp-endpoint.ts'

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex')
const suite = (name: string) => SUITES.find((each) => each.name === name) as Suite
const AES80 = suite('AES_CM_128_HMAC_SHA1_80')

describe('SRTP (RFC 3711)', () => {
  test('RFC 3711 B.2: the keystream of AES in counter mode, at its beginning and at block 0xfeff', () => {
    const cipher = new AesCounter(hex('2B7E151628AED2A6ABF7158809CF4F3C'))
    const iv = hex('F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000')
    const stream = Buffer.alloc(0xff02 * 16)
    cipher.apply(iv, stream, 0, stream.length)
    assert.equal(
      stream.subarray(0, 48).toString('hex').toUpperCase(),
      'E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0',
    )
    assert.equal(
      stream
        .subarray(0xfeff * 16)
        .toString('hex')
        .toUpperCase(),
      'EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE6A2CC3787889374FBEB4C81B17BA6C44',
    )
  })

  test('RFC 3711 B.3: the session keys of a master key', () => {
    const keys = sessionKeys(hex('E1F97A0D3E018BE0D64FA32C06DE4139'), hex('0EC675AD498AFEEBB6960B3AABE6'), 'rtp')
    assert.equal(Buffer.from(keys.salt).toString('hex').toUpperCase(), '30CBBC08863D8C85D49DB34A9AE1')
    assert.equal(
      Buffer.from(keys.authentication).toString('hex').toUpperCase(),
      'CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4',
    )
    const key = hex('C61E7A93744F39EE10734AFE3FF7A087')
    const expected = createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(32))
    const ours = Buffer.alloc(32)
    keys.cipher.apply(Buffer.alloc(16), ours, 0, 32)
    assert.deepEqual(ours, expected, 'the cipher key')
  })

  test('a packet is what libsrtp makes of it, and comes back', () => {
    const key = hex('e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6')
    const plain = hex(`800f1234decafbadcafebabe${'ab'.repeat(16)}`)
    const secret = new SrtpContext(AES80, key).protectRtp(plain)
    assert.equal(
      secret?.toString('hex'),
      '800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb',
    )
    assert.deepEqual(new SrtpContext(AES80, key).unprotectRtp(secret as Buffer), plain)
  })

  test('HMAC-SHA1 is that of node:crypto, for any key, length and trailing word', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        fc.uint8Array({ maxLength: 1500 }),
        fc.option(fc.integer({ min: 0, max: 0xffffffff }), { nil: undefined }),
        (key, message, word) => {
          const hmac = createHmac('sha1', key).update(message)
          if (word !== undefined) {
            const bytes = Buffer.alloc(4)
            bytes.writeUInt32BE(word)
            hmac.update(bytes)
          }
          const ours = Buffer.alloc(20)
          new HmacSha1(key).update(message, message.length, word).forEach((w, i) => {
            ours.writeInt32BE(w, 4 * i)
          })
          assert.deepEqual(ours, hmac.digest())
        },
      ),
      { numRuns: 300 },
    )
  })

  for (const each of SUITES) {
    test(`${each.name}: RTP and RTCP come through, over the wrap of the sequence, out of order, with loss`, () => {
      const key = randomBytes(each.keyBytes + 14)
      const [here, there] = [new SrtpContext(each, key), new SrtpContext(each, key)]
      // from before one wrap to after the next, some lost, each pair turned round
      for (let n = 65_400; n < 131_300; n += n % 50 === 0 ? 40 : 2) {
        // RFC 3711 3.3.1: not more than 2^15 at once
        if (n > 65_800 && n < 66_000) n = 97_000
        if (n > 97_200 && n < 98_000) n = 128_000
        if (n > 128_200 && n < 130_000) n = 130_800
        const [a, b] = [rtp(n), rtp(n + 1)]
        const secret = [here.protectRtp(b), here.protectRtp(a)]
        assert.deepEqual(there.unprotectRtp(secret[0] as Buffer), b, `${n + 1}`)
        assert.deepEqual(there.unprotectRtp(secret[1] as Buffer), a, `${n}`)
      }
      const report = Buffer.concat([hex('80c90001 00000007'), Buffer.alloc(24, 5)])
      const secret = here.protectRtcp(report) as Buffer
      assert.equal(secret.length, report.length + 14)
      assert.notDeepEqual(secret.subarray(8, 32), report.subarray(8))
      assert.deepEqual(there.unprotectRtcp(Buffer.from(secret)), report)
      assert.equal(there.unprotectRtcp(secret), undefined, 'a replay')
    })
  }

  test('what was changed on the way, replayed, too short or made up is not taken', () => {
    const key = randomBytes(30)
    const there = new SrtpContext(AES80, key)
    const here = new SrtpContext(AES80, key)
    const secret = here.protectRtp(rtp(1)) as Buffer
    for (const at of [1, 4, 9, 12, 100, 180]) {
      const changed = Buffer.from(secret)
      changed[at] = (changed[at] as number) ^ 1
      assert.equal(there.unprotectRtp(changed), undefined, `byte ${at}`)
    }
    assert.ok(there.unprotectRtp(Buffer.from(secret)))
    assert.equal(there.unprotectRtp(Buffer.from(secret)), undefined, 'a replay (RFC 3711 3.3.2)')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        assert.equal(there.unprotectRtp(Buffer.from(bytes)), undefined)
        assert.equal(there.unprotectRtcp(Buffer.from(bytes)), undefined)
        here.protectRtp(Buffer.from(bytes))
        here.protectRtcp(Buffer.from(bytes))
      }),
    )
    assert.equal(here.protectRtp(rtp(1)), undefined, 'one sequence number twice would betray both')
  })

  test('strangers cannot use up the sources of a peer', () => {
    const key = randomBytes(30)
    const [here, there] = [new SrtpContext(AES80, key), new SrtpContext(AES80, key)]
    for (let n = 0; n < 500; n++) there.unprotectRtp(rtp(1, 0, 1000 + n))
    assert.ok(there.unprotectRtp(here.protectRtp(rtp(1)) as Buffer))
  })

  test('RFC 3711 appendix A: the index of a late packet is from before the wrap', () => {
    const index = new PacketIndex()
    index.took(index.guess(65_530))
    index.took(index.guess(3))
    assert.equal(index.guess(65_534), 65_534)
    assert.equal(index.guess(4), 65_540)
    assert.equal(index.fresh(3 + 65_536), false)
  })
})

describe('a=crypto (RFC 4568)', () => {
  const key = Buffer.alloc(30, 7).toString('base64')
  test('lines that we can speak are taken in the order of the peer, others left', () => {
    const lines = usable([
      `1 AEAD_AES_256_GCM inline:${Buffer.alloc(44).toString('base64')}`,
      `2 AES_CM_128_HMAC_SHA1_32 inline:${key}|2^31`,
      `3 AES_CM_128_HMAC_SHA1_80 inline:${key}|2^20|1:4`,
      `4 AES_CM_128_HMAC_SHA1_80 inline:${key};inline:${key}`,
      `5 AES_CM_128_HMAC_SHA1_80 inline:${Buffer.alloc(29).toString('base64')}`,
      `6 AES_CM_128_HMAC_SHA1_80 inline:${key} UNENCRYPTED_SRTP`,
      `7 AES_CM_128_HMAC_SHA1_80 inline:${key} WSH=64`,
      `7 AES_CM_128_HMAC_SHA1_32 inline:${key}`,
      'x AES_CM_128_HMAC_SHA1_80 inline:',
      '',
    ])
    assert.deepEqual(
      lines.map(({ tag, suite }) => [tag, suite.name]),
      [
        [2, 'AES_CM_128_HMAC_SHA1_32'],
        [7, 'AES_CM_128_HMAC_SHA1_80'],
      ],
    )
    assert.equal(written(lines[0] as (typeof lines)[0]), `2 AES_CM_128_HMAC_SHA1_32 inline:${key}`)
  })
  test('any text is read without an exception', () => {
    fc.assert(fc.property(fc.array(fc.string()), (values) => void usable(values)))
  })
})
