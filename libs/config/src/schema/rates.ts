/** `rateDecks` and `prices`: what calls cost. */
import Type, { type Static } from 'typebox'
import { SHAPES } from '../shapes.ts'
import { Bandwidth, Name, object, oneOf, shaped, text } from './words.ts'

const currency = shaped(SHAPES.currency, 'ISO 4217 currency')

const money = (description: string) => shaped(SHAPES.money, description)

const PerMinuteDeck = object(
  {
    kind: Type.Literal('per-minute'),
    currency,
    file: text('CSV with the columns prefix,name,connect,perMinute,from,to; path relative to this file'),
    increments: Type.Optional(shaped(SHAPES.increments, 'first/next increment in seconds')),
    rounding: Type.Optional(oneOf(['half-up', 'half-even', 'up', 'down'], 'rounding of a price')),
    decimals: Type.Optional(Type.Integer({ minimum: 0, maximum: 8, description: 'decimals of a price' })),
  },
  'price per minute by prefix',
)

const BandwidthDeck = object(
  {
    kind: Type.Literal('bandwidth'),
    currency,
    commit: Bandwidth('bandwidth paid for in any case'),
    increment: Type.Optional(Bandwidth('step in which bandwidth is bought')),
    price: money('price of 1 Mbit/s and calendar month'),
    percentile: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, description: 'billing percentile of the 5-minute samples' }),
    ),
    burst: Type.Optional(money('price of 1 Mbit/s and calendar month above commit')),
  },
  'price per bandwidth',
)

export const RateDeck = Type.Unsafe<Static<typeof PerMinuteDeck> | Static<typeof BandwidthDeck>>({
  type: 'object',
  description: 'a rate deck',
  required: ['kind'],
  discriminator: { propertyName: 'kind' },
  oneOf: [PerMinuteDeck, BandwidthDeck],
})

export const Price = object(
  { deck: Name('rate deck'), markup: Type.Optional(shaped(SHAPES.percent, 'added to the deck')) },
  'what a cost centre pays',
)
