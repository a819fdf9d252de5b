"""The storefront: pages for buyers, made of what the API answers them. They work without scripts."""
