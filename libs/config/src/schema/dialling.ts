/** Numbers as they are dialled and where they may go: dial plans, policies, routes, translations. */
import Type from 'typebox'
import { LIMITS, SHAPES } from '../shapes.ts'
import { E164, list, Name, Names, object, oneOf, Pattern, shaped, text } from './words.ts'

export const Pool = object(
  { dialPlan: Type.Optional(Name('dial plan')) },
  'a group of users; its dial plan stands between their own and that of the site',
)

/** Lync's "build a normalization rule" (and "build a translation rule"): makes match and to. */
const RuleForm = object(
  {
    startingDigits: Type.Optional(shaped(SHAPES.dialStart, 'what the number begins with; may begin with +')),
    length: Type.Optional(shaped(SHAPES.lengthRule, 'length of the whole number, its + counted; any when left out')),
    remove: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 32, description: 'characters taken away at the front, a + counted' }),
    ),
    add: Type.Optional(shaped(SHAPES.dialStart, 'put in front of what is left')),
  },
  'a rule as a filled-in form, in place of match and to',
)

const DialRule = object(
  {
    name: Name('rule'),
    match: Type.Optional(Pattern),
    to: Type.Optional(
      text('what the digits become; $1…$9 are the groups of match', {
        maxLength: LIMITS.pattern,
        examples: ['+1$1'],
      }),
    ),
    build: Type.Optional(RuleForm),
    internal: Type.Optional(
      Type.Boolean({
        description: 'an extension: tried on the digits as dialled, before the external prefix is removed',
      }),
    ),
  },
  'a normalisation rule',
)

export const DialPlan = object(
  {
    externalPrefix: Type.Optional(shaped(SHAPES.externalPrefix, 'digits dialled first for an outside line')),
    rules: list(DialRule, 'first match wins'),
  },
  'a dial plan',
)

export const Transfer = (whose: string) =>
  Type.Optional(
    oneOf(
      ['act', 'forward', 'reject'],
      `what a REFER of ${whose} gets: act, we carry the transfer out; forward, the other side is asked to; reject, 603`,
    ),
  )

export const Redirect = (whose: string) =>
  Type.Optional(
    oneOf(
      ['follow', 'pass', 'reject'],
      `what a 3xx of ${whose} gets: follow, the router is asked for the place that it names; pass, the caller is told; reject, it is a failure`,
    ),
  )

export const Policy = object(
  {
    usages: list(Name('PSTN usage'), 'PSTN usages, in order: the first whose route matches wins', { minItems: 0 }),
    forward: Type.Optional(
      list(Name('PSTN usage'), 'usages of forwarded calls; as usages when left out', { minItems: 0 }),
    ),
    ring: Type.Optional(
      list(Name('PSTN usage'), 'usages of simultaneous ring; as usages when left out', { minItems: 0 }),
    ),
    callerId: Type.Optional(oneOf(['own', 'suppress'], 'caller identity shown to the PSTN')),
    showAs: Type.Optional(E164('number shown in place of the own one, as that of the reception')),
    mayShow: Type.Optional(list(Pattern, 'other numbers that the phone may show by its From', { maxItems: 100 })),
    otherwise: Type.Optional(
      oneOf(['replace', 'reject'], 'a phone that shows a number it may not: the own one in its place, or 403'),
    ),
    transfer: Transfer('their phones'),
    redirect: Redirect('their phones'),
  },
  'a voice policy',
)

export const Window = object(
  {
    days: Type.Optional(
      list(oneOf(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], 'weekday'), 'weekdays', {
        maxItems: 7,
        uniqueItems: true,
      }),
    ),
    from: Type.Optional(shaped(SHAPES.timeOfDay, 'first minute, in timeZone')),
    to: Type.Optional(shaped(SHAPES.timeOfDay, 'end, not included')),
  },
  'when a route is used',
)

export const Route = object(
  {
    name: Name('route'),
    match: Pattern,
    except: Type.Optional(list(Pattern, 'numbers that this route does not take')),
    usages: Names('PSTN usage'),
    trunks: Names('trunk', { maxItems: 64, uniqueItems: true }),
    select: Type.Optional(oneOf(['order', 'cost'], 'order: as listed; cost: cheapest first')),
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, description: 'lower first' })),
    weight: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, description: 'share among equal priority' })),
    when: Type.Optional(list(Window, 'time windows; always when left out', { maxItems: 64 })),
  },
  'a route to the PSTN',
)

const Translation = object(
  {
    name: Type.Optional(Name('rule')),
    match: Type.Optional(Pattern),
    to: Type.Optional(text('result, with $1…$9', { maxLength: LIMITS.pattern })),
    build: Type.Optional(RuleForm),
  },
  'a number translation',
)

const Translations = Type.Optional(list(Translation, 'first match wins', { maxItems: 1000 }))

export const Direction = (way: string) =>
  Type.Optional(object({ called: Translations, calling: Translations }, `translations of ${way} calls`))
