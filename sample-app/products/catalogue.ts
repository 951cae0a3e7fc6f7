export interface Product {
  readonly id: string;
  readonly name: string;
  readonly cents: number;
}

export const PRODUCTS: readonly Product[] = [
  { id: '1', name: 'Sandbag', cents: 490 },
  { id: '2', name: 'Drawbridge', cents: 129_900 },
  { id: '3', name: 'Moat, per metre', cents: 8_900 },
  { id: '4', name: 'Portcullis', cents: 64_900 },
];
