import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { XmlDocument } from 'libxml2-wasm'
import { attributeOf, childOf, readXml, textOf, tokenOf } from '../src/xml-read.ts'
import { element, text, token } from '../src/xml-write.ts'

function root(xml: string) {
  const outcome = readXml(xml)
  assert.equal(outcome.kind, 'ok', JSON.stringify(outcome))
  assert(outcome.kind === 'ok')
  return outcome.root
}

/** What XML cannot carry is a replacement character. */
function carryable(value: string): string {
  const allowed = (c: string) => (c >= ' ' && c !== '\uFFFE' && c !== '\uFFFF') || '\t\n\r'.includes(c)
  return Array.from(value.toWellFormed(), (c) => (allowed(c) ? c : '\uFFFD')).join('')
}

function reason(xml: string): string {
  const outcome = readXml(xml)
  return outcome.kind === 'refused' ? outcome.reason : 'ok'
}

test('text, comments, CDATA and references are read as one text', () => {
  const found = root(
    '<?xml version="1.0"?>\r\n<a b="1 &amp;&#x20;"><!--c-->te<!-- d -->xt<![CDATA[<&]]><c/> &lt;&#65;</a>',
  )
  assert.equal(textOf(found), 'text<& <A')
  assert.equal(attributeOf(found, 'b'), '1 & ')
  assert.equal(found.children.length, 1)
})

test('namespaces are resolved through the prefixes in force', () => {
  const found = root('<a xmlns="u:1" xmlns:p="u:2" p:x="y"><p:b/><b xmlns="u:3"/><c xmlns=""/></a>')
  assert.equal(found.namespace, 'u:1')
  assert.equal(attributeOf(found, 'x', 'u:2'), 'y')
  assert.deepEqual(
    found.children.map((c) => c.namespace),
    ['u:2', 'u:3', ''],
  )
  assert.equal(childOf(found, 'u:3', 'b')?.name, 'b')
})

test('a token is collapsed where white space is literal and kept where it is a reference (RFC 5139 3.6)', () => {
  assert.equal(tokenOf(root('<a>\n North\t  Wollongong\n</a>')), 'North Wollongong')
  assert.equal(tokenOf(root('<a> &#x20;x&#x20;&#x20;y </a>')), ' x  y')
})

test('what is not well-formed is refused, each for its reason', () => {
  const cases: Record<string, string> = {
    '': 'not-well-formed',
    '<a/>x': 'not-well-formed',
    '<a/><b/>': 'not-well-formed',
    'x<a/>': 'not-well-formed',
    '<a><b></a></b>': 'not-well-formed',
    '<a>&foo;</a>': 'not-well-formed',
    '<a>&#0;</a>': 'not-well-formed',
    '<a>&#xD800;</a>': 'not-well-formed',
    '<a>&#99999999;</a>': 'not-well-formed',
    '<a>]]></a>': 'not-well-formed',
    '<a b=1/>': 'not-well-formed',
    '<a b="<"/>': 'not-well-formed',
    '<a b="1" b="2"/>': 'not-well-formed',
    '<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>': 'not-well-formed',
    '<p:a/>': 'not-well-formed',
    '<a xmlns:p=""/>': 'not-well-formed',
    '<a xmlns:xml="u"/>': 'not-well-formed',
    '<a>\u0000</a>': 'not-well-formed',
    '<a>\uD800</a>': 'not-well-formed',
    '<a><!-- -- --></a>': 'not-well-formed',
    '<a><?xml version="1.0"?></a>': 'not-well-formed',
    '<a': 'not-well-formed',
    '<a>': 'not-well-formed',
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>': 'doctype',
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">]><a/>': 'doctype',
    [`${'<a>'.repeat(40)}${'</a>'.repeat(40)}`]: 'too-deep',
    [`<a>${'<b/>'.repeat(5000)}</a>`]: 'too-large',
    [`<a>${' '.repeat(70_000)}</a>`]: 'too-large',
  }
  for (const [xml, expected] of Object.entries(cases)) assert.equal(reason(xml), expected, xml.slice(0, 60))
})

test('a byte order mark, comments and instructions around the root do no harm', () => {
  assert.equal(reason('\uFEFF<?xml version="1.0" encoding="utf-8" ?><!-- x --><?pi y?><a></a >\n<!-- z -->'), 'ok')
})

test('text written is text read, whatever it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (value) => {
      const carried = textOf(root(element('a', {}, text(value))))
      assert.equal(carried, carryable(value))
    }),
  )
})

test('a token written is the token read, byte for byte', () => {
  const words = fc.string({
    unit: fc.constantFrom(' ', '\t', '\n', '\r', 'a', 'é', '&', '<', '>', '"', "'", '😀'),
    maxLength: 30,
  })
  fc.assert(
    fc.property(words, (value) => {
      assert.equal(tokenOf(root(element('a', {}, token(value)))), value)
      assert.equal(attributeOf(root(element('a', { b: value })), 'b'), value)
    }),
  )
})

const pieces = fc.constantFrom(
  ...[
    '<a>',
    '</a>',
    '<a/>',
    '<b x="1">',
    '</b>',
    "<c y='2'/>",
    'text',
    '&amp;',
    '&#10;',
    '&x;',
    '<!--c-->',
    '<![CDATA[d]]>',
  ],
  ...[
    '<?p i?>',
    ' ',
    '\n',
    '<',
    '>',
    '&',
    '"',
    ']]>',
    '<p:a xmlns:p="u"/>',
    '<a xmlns="u">',
    '<?xml version="1.0"?>',
    '\uFEFF',
    '--',
  ],
)

test('no text makes the reader throw', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(pieces).map((p) => p.join('')),
      ),
      (xml) => {
        assert.ok(['ok', 'refused'].includes(readXml(xml).kind))
      },
    ),
    { numRuns: 2000 },
  )
})

test('what we take, libxml2 takes too', () => {
  fc.assert(
    fc.property(
      fc.array(pieces, { maxLength: 8 }).map((p) => p.join('')),
      (xml) => {
        if (readXml(xml).kind !== 'ok') return
        XmlDocument.fromString(xml).dispose()
      },
    ),
    { numRuns: 3000 },
  )
})

test('the time to refuse grows with the length, not with its square', () => {
  const hostile = [
    `<a></a${' '.repeat(60_000)}b>`,
    `<a ${'b="" '.repeat(60)}${' '.repeat(60_000)}`,
    `<a>${'&'.repeat(60_000)}`,
  ]
  const before = process.cpuUsage().user
  for (const xml of hostile) assert.equal(reason(xml), 'not-well-formed')
  assert.ok(process.cpuUsage(undefined).user - before < 1_000_000)
})
