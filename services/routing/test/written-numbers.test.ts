/**
 * routing.md R5: the same number, however the carrier writes it, finds its user. Plus or no plus broke the DID in
 * livekit/sip#329, sbc-outbound#5 and livekit/protocol#737.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide, from, plan, tableWith, walk } from './acme.ts'

/** As the user part of the Request-URI, unescaped by the edge; all of them are +1 425 555 1002. */
const american = [
  '+14255551002',
  '14255551002',
  '4255551002',
  '01114255551002',
  '0014255551002',
  '+1-425-555-1002',
  '+1 (425) 555-1002',
  '1-425-555-1002',
  '425.555.1002',
  '(425)555-1002',
  '1 425 555 1002',
  '011-1-425-555-1002',
  '00 1 425 555 1002',
  '+14255551002;user=phone',
  '4255551002;phone-context=+1',
  '14255551002;phone-context=example.com',
  '4255551002;phone-context=example.com',
  '5551002;phone-context=+1425',
  '1002;phone-context=+1-425-555',
  '+14255551002;isub=1411',
  '+14255551002;ext=7',
  '+14255551002;npdi;rn=+14255550000',
  '14255551002;rn=+14255550000;npdi',
  '+1425/555/1002',
] as const

for (const written of american) {
  test(`R5: a US carrier writes ${written}`, () => {
    const decision = plan(decide(from.itspA, written))
    assert.deepEqual(walk(decision)[0], 'callee: bob')
    assert.equal(decision.normalised, '+14255551002')
  })
}

const british = [
  ['+442079460123', '+44 20 7946 0123', '00442079460123', '02079460123', '020 7946 0123', '442079460123'],
  ['2079460123', '(0)20 7946 0123', '+44 (0)20 7946 0123', '0044 (0)20 7946 0123', '011442079460123'],
].flat()
const gb = tableWith(
  ['did: "+14255551002"', 'did: "+442079460123"'],
  ['    to: ["sip:127.0.0.1:5080"]', '    to: ["sip:127.0.0.1:5080"]\n    country: GB'],
)
for (const written of british) {
  test(`R5: a British carrier writes ${written}`, () => {
    assert.equal(plan(decide(from.itspA, written, {}, gb)).normalised, '+442079460123')
  })
}

/** Where the number stands in another header than the Request-URI. */
const uris = [
  'sip:+14255551002@acme.example',
  'sip:+14255551002@acme.example;user=phone',
  'sips:14255551002@acme.example',
  'sip:+1-425-555-1002;isub=12@acme.example;user=phone',
  'sip:4255551002;phone-context=+1@acme.example;user=phone',
  'sip:1002;phone-context=+1425555@acme.example',
  'sip:%2B14255551002@acme.example',
  'sip:%2b1%20425%20555%201002@acme.example',
  'tel:+14255551002',
  'tel:+1-425-555-1002;isub=1411',
  'tel:4255551002;phone-context=+1',
  'tel:1002;phone-context=+1425555',
  'TEL:+1(425)555-1002',
  'sip:+14255551002;npdi;rn=+14255550000@acme.example',
] as const
for (const uri of uris) {
  test(`R5: To and P-Called-Party-ID as ${uri}`, () => {
    for (const [did, more] of [
      ['to', { toUri: uri }],
      ['p-called-party-id', { calledPartyId: uri }],
    ] as const) {
      const table = tableWith([
        '    listener: carrier\n    translate',
        `    listener: carrier\n    did: ${did}\n    translate`,
      ])
      assert.equal(plan(decide(from.itspA, '+19995550000', more, table)).callee.user, 'bob', did)
    }
  })
}

test('R5: a phone-context that gives no number of ours is no prefix (RFC 3966 5.1.5)', () => {
  const table = tableWith(['    from: ["127.0.0.1:5080"]', '    from: ["127.0.0.1:5080"]\n    usages: [national]'])
  const decision = decide(from.itspA, '2065550100;phone-context=+1425', {}, table)
  assert.equal(
    plan(decision).normalised,
    '+12065550100',
    'read as a national number of the trunk, not as +14252065550100',
  )
})
test('R5: users inside and outside the firewall dial it in as many ways', () => {
  for (const dialled of [
    '+14255551002',
    '94255551002',
    '914255551002',
    '9 1 (425) 555-1002',
    '901114255551002',
    '1002',
  ])
    assert.equal(plan(decide(from.alice, dialled)).callee.user, 'bob', dialled)
})
