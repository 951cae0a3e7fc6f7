/** Of the library, as its package tells it. */
export const VERSION = '0.2.0';
