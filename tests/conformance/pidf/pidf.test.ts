import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeDialogInfo } from '@tandem/pidf/dialog-info.ts'
import { type PidfDocument, parsePidf, rpidActivities, sameEntity, writePidf } from '@tandem/pidf/pidf.ts'
import fc from 'fast-check'
import { complaint, fixture, fixtures } from './validator.ts'

function valid(xml: string): void {
  assert.equal(complaint(xml, 'plain'), undefined, xml)
  assert.equal(complaint(xml, 'strict'), undefined, xml)
}

function read(xml: string): PidfDocument {
  const outcome = parsePidf(xml)
  assert(outcome.kind === 'ok', JSON.stringify(outcome))
  return outcome.document
}

const onMobile: PidfDocument = {
  entity: 'sip:ann@corp.test',
  tuples: [
    {
      ...{ id: 'mobile-4f2a', basic: 'open', contact: 'tel:+12065550123', priority: 0.3, userInput: 'active' },
      ...{ deviceId: 'urn:x-tandem:mobile:4f2a', note: 'In a call & <busy>', timestamp: '2026-11-23T10:00:05Z' },
    },
    { id: 'desk', basic: 'open' },
  ],
  persons: [
    {
      ...{
        id: 'ann',
        activities: ['on-the-phone', 'meeting'],
        other: ['do-not-disturb'],
        since: '2026-11-23T10:00:05Z',
      },
      ...{ note: 'In a call', timestamp: '2026-11-23T10:00:06Z' },
    },
  ],
  note: 'from the bus',
}

test('RFC 3863 4.4, RFC 4480 5.1: a full document of ours is valid and comes back equal', () => {
  const xml = writePidf(onMobile)
  valid(xml)
  assert.deepEqual(read(xml), onMobile)
})

test('RFC 4480 3.2: every activity has an element of the schema', () => {
  valid(writePidf({ entity: 'sip:a@b', tuples: [], persons: [{ id: 'p', activities: rpidActivities }] }))
})

test('P3: the expressions of baresip 1.0 find what we write', () => {
  const xml = writePidf(onMobile)
  assert.match(xml, /<basic>[^<]+<\/basic>/)
  assert.match(xml, /<rpid:on-the-phone\/>/)
  assert.match(xml, /<presence xmlns="urn:ietf:params:xml:ns:pidf"/)
})

test('RFC 3863 4.4: the parts of a tuple in another order, or a wrong name, are invalid', () => {
  const xml = writePidf(onMobile)
  const wrong = [
    xml.replace(/(<contact.*?<\/contact>)(<note>.*?<\/note>)(<timestamp>.*?<\/timestamp>)/, '$3$1$2'),
    xml.replace(/(<status>.*?<\/status>)(<dm:deviceID>.*?<\/dm:deviceID>)/, '$2$1'),
    xml.replaceAll('basic>', 'Basic>'),
    xml.replace('<rpid:on-the-phone/>', '<rpid:onthephone/>'),
    xml.replace('priority="0.3"', 'priority="3"'),
  ]
  for (const document of wrong) {
    assert.notEqual(document, xml)
    assert.notEqual(complaint(document, 'strict'), undefined, document)
  }
})

for (const name of fixtures('pidf/valid').filter((n) => n.startsWith('pidf-')))
  test(`${name} is valid and read`, () => {
    const xml = fixture(`pidf/valid/${name}`)
    assert.equal(complaint(xml), undefined)
    assert.equal(read(xml).entity, 'sip:ann@corp.test')
  })

test('prefixes are the sender’s business', () => {
  const document = read(fixture('pidf/valid/pidf-other-prefixes.xml'))
  assert.deepEqual(document.persons[0]?.activities, ['on-the-phone'])
  assert.equal(document.tuples[0]?.basic, 'open')
})

const reasons: Record<string, string> = {
  'pidf-bad-basic.xml': 'invalid',
  'pidf-dup-tuple-id.xml': 'invalid',
  'pidf-no-entity.xml': 'no-entity',
  'pidf-truncated.xml': 'not-well-formed',
  'pidf-xxe.xml': 'doctype',
}
for (const name of fixtures('pidf/invalid'))
  test(`${name} is refused as ${reasons[name]}`, () => {
    const xml = fixture(`pidf/invalid/${name}`)
    assert.notEqual(complaint(xml), undefined)
    const outcome = parsePidf(xml)
    assert(outcome.kind === 'refused')
    assert.equal(outcome.reason, reasons[name])
  })

test('P6: a document about somebody else is refused', () => {
  const xml = writePidf(onMobile)
  assert.equal(parsePidf(xml, { entity: 'pres:ann@CORP.test' }).kind, 'ok')
  const outcome = parsePidf(xml, { entity: 'sip:bob@corp.test' })
  assert(outcome.kind === 'refused')
  assert.equal(outcome.reason, 'wrong-entity')
  assert.ok(sameEntity('sip:ann@corp.test;transport=tcp', 'SIPS:ann@corp.test'))
  assert.ok(!sameEntity('sip:Ann@corp.test', 'sip:ann@corp.test'))
})

test('any words in notes and contacts are carried', () => {
  const word = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((w) => !/\p{Cc}/u.test(w))
  fc.assert(
    fc.property(word, word, (note, other) => {
      const xml = writePidf({
        entity: 'sip:a@b',
        tuples: [{ id: 't', basic: 'closed', note }],
        persons: [{ id: 'p', activities: [], other: [other] }],
      })
      valid(xml)
      assert.equal(read(xml).tuples[0]?.note, note)
    }),
    { numRuns: 200 },
  )
})

test('no text makes the reader throw', () => {
  const whole = ['valid', 'invalid'].flatMap((f) => fixtures(`pidf/${f}`).map((n) => fixture(`pidf/${f}/${n}`)))
  const cut = fc
    .tuple(fc.constantFrom(...whole), fc.nat(), fc.nat(30), fc.string({ unit: 'binary', maxLength: 8 }))
    .map(
      ([xml, start, length, put]) => xml.slice(0, start % xml.length) + put + xml.slice((start % xml.length) + length),
    )
  fc.assert(
    fc.property(fc.oneof(cut, fc.string({ unit: 'binary' })), (xml) => {
      assert.ok(['ok', 'refused'].includes(parsePidf(xml).kind))
    }),
    { numRuns: 1000 },
  )
})

test('RFC 4235 4: a dialog-info document is valid, lower-case, local before remote', () => {
  const xml = writeDialogInfo({
    ...{ entity: 'sip:ann@corp.test', version: 3, state: 'full' },
    dialogs: [
      {
        ...{
          id: 'b2',
          state: 'early',
          code: 180,
          direction: 'recipient',
          callId: 'c"2',
          localTag: 'l',
          remoteTag: 'r',
          duration: 3.7,
        },
        remote: { identity: 'tel:+442071838750', display: 'P&TN', target: 'sip:+442071838750@itsp.test;user=phone' },
        local: { identity: 'sip:ann@corp.test' },
      },
      { id: 'a1', state: 'terminated', event: 'remote-bye' },
    ],
  })
  valid(xml)
  assert.ok(xml.indexOf('<local>') < xml.indexOf('<remote>'))
  assert.equal(complaint(fixture('pidf/valid/dialoginfo-two-dialogs.xml')), undefined)
  assert.notEqual(complaint(xml.replace(/(<local>.*<\/local>)(<remote>.*<\/remote>)/, '$2$1')), undefined)
})
