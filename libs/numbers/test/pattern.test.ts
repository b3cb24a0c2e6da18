import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  compilePattern,
  compileTemplate,
  javaScriptPattern,
  type Pattern,
  re2Pattern,
  substitute,
} from '../src/pattern.ts'
import { isCovered } from '../src/pattern-language.ts'
import { choices, type PatternTree, readPatternTree } from '../src/pattern-tree.ts'

function pattern(source: string): Pattern {
  const compiled = compilePattern(source)
  assert.equal(compiled.kind, 'pattern', source)
  return (compiled as { pattern: Pattern }).pattern
}

const tree = (source: string): PatternTree => {
  const read = readPatternTree(source)
  assert.ok(read, source)
  return read
}

test('the patterns of ordinary dial plans run on the JavaScript engine', () => {
  for (const source of [
    '^(\\d{4})$',
    '^\\+1(425|206)\\d{7}$',
    '^\\+(.*)$',
    '^\\+',
    '^011(\\d+)$',
    '^([2-9]\\d\\d)$',
    '^\\*67(\\d+)$',
  ]) {
    assert.equal(pattern(source).engine, 'javascript', source)
  }
})

test('what could take long runs on RE2', () => {
  for (const source of [
    '^(\\d+)+$',
    '^(\\d|\\d\\d)*$',
    '(\\d+)',
    '^\\d*\\d*\\d*x$',
    '^\\d+\\d+$',
    '^(?i)a$',
    '^\\w+$',
    '^a|b$',
    '^\\d+?$',
  ]) {
    assert.equal(pattern(source).engine, 're2', source)
  }
})

test('a pattern made to hang a backtracking engine answers at once', () => {
  const started = performance.now()
  for (const source of ['^(\\d+)+$', '^(\\d|\\d\\d)*$', '^(\\d*)*\\*$']) pattern(source).test(`${'1'.repeat(250)}x`)
  assert.ok(performance.now() - started < 5000)
})

test('texts longer than any number match nothing', () => {
  assert.ok(!pattern('^\\d*').test('1'.repeat(300)))
  assert.equal(pattern('^(\\d|1)*').exec('1'.repeat(300)), null)
})

test('a look-ahead of a Lync export is refused with the rule to write instead', () => {
  const compiled = compilePattern('^(?!911)(\\d+)$')
  assert.equal(compiled.kind, 'unsupported')
  assert.match((compiled as { hint: string }).hint, /except: \['\^911'\]/)
  for (const source of ['^(?=\\d{4}$)\\d+', '^(\\d)\\1$', '^(?>\\d)$', '(', '^[', '^\\d{2000}$']) {
    const other = compilePattern(source)
    assert.equal(other.kind, 'unsupported', source)
    assert.ok((other as { hint: string }).hint.length > 10)
  }
})

/** Patterns of the simple grammar, as text. */
const one = fc.constantFrom('0', '1', '9', '\\d', '.', '[2-9]', '[^01]', '[1*]', '\\+', '\\*', '#', '\\.')
const times = fc.constantFrom('', '', '', '?', '*', '+', '{2}', '{1,}', '{0,3}')
const { sequence } = fc.letrec<{ sequence: string; item: string }>((tie) => ({
  sequence: fc.array(tie('item'), { maxLength: 4 }).map((items) => items.join('')),
  item: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.tuple(one, times).map((parts) => parts.join('')),
    fc
      .tuple(fc.constantFrom('(', '(?:'), fc.array(tie('sequence'), { minLength: 1, maxLength: 3 }))
      .map(([open, options]) => `${open}${options.join('|')})`),
  ),
}))
const simple = fc.tuple(fc.constantFrom('^', ''), sequence, fc.constantFrom('$', '')).map((parts) => parts.join(''))
const dialled = fc.stringMatching(/^[0-9+*#.x]{0,12}$/)

test('wherever both engines may run they find the same match and the same groups', () => {
  fc.assert(
    fc.property(simple, fc.array(dialled, { minLength: 5, maxLength: 10 }), (source, texts) => {
      const read = readPatternTree(source)
      if (read === undefined || choices(read, 20) > 5000) return
      const native = javaScriptPattern(source, read)
      const linear = re2Pattern(source, read)
      assert.equal(native.groups, linear.groups)
      for (const text of texts) {
        assert.equal(native.test(text), linear.test(text), `${source} on ${text}`)
        assert.deepEqual(native.exec(text), linear.exec(text), `${source} on ${text}`)
      }
    }),
    { numRuns: 1500 },
  )
})

test('any text is a pattern or is refused, and never throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ maxLength: 40 }), fc.stringMatching(/^[\^$()[\]{}|?*+\\d1-9,:!=<-]{0,20}$/)),
      dialled,
      (source, text) => {
        const compiled = compilePattern(source)
        if (compiled.kind === 'pattern') compiled.pattern.exec(text)
      },
    ),
    { numRuns: 1500 },
  )
})

test('what is said to be covered matches nothing that the others leave', () => {
  assert.equal(isCovered(tree('^(\\d{7})$'), [tree('^\\d+$')]), true)
  assert.equal(isCovered(tree('^\\d+$'), [tree('^(\\d{7})$')]), false)
  assert.equal(isCovered(tree('^[0-9]{2}$'), [tree('^[0-4]\\d$'), tree('^[5-9]\\d$')]), true)
  assert.equal(isCovered(tree('^[0-9]{2}$'), [tree('^[0-4]\\d$'), tree('^[6-9]\\d$')]), false)
  assert.equal(isCovered(tree('^911'), [tree('^9')]), true)
  fc.assert(
    fc.property(simple, simple, fc.array(dialled, { minLength: 10, maxLength: 20 }), (a, b, texts) => {
      const [mine, theirs] = [readPatternTree(a), readPatternTree(b)]
      if (!mine || !theirs || choices(mine, 20) > 5000 || choices(theirs, 20) > 5000) return
      if (!isCovered(mine, [theirs])) return
      const keypad = texts.filter((text) => /^[0-9+*#]*$/.test(text))
      for (const text of keypad) if (pattern(a).test(text)) assert.ok(pattern(b).test(text), `${a} in ${b}: ${text}`)
    }),
    { numRuns: 300 },
  )
})

test('a template takes groups, the whole match and dollar signs; the rest of the text stays', () => {
  const apply = (match: string, to: string, text: string) => {
    const found = pattern(match).exec(text)
    assert.ok(found)
    return substitute(text, found, compileTemplate(to))
  }
  assert.equal(apply('^(\\d{4})$', '+1425555$1', '0100'), '+14255550100')
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the template language's own braces
  assert.equal(apply('^(\\d)(\\d)$', '$2${1}0$0$$', '12'), '21012$')
  assert.equal(apply('555', '666', '15550'), '16660')
  assert.equal(apply('^(1)?2$', '[$1]', '2'), '[]')
})
