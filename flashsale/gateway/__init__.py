"""The HTTP gateway: what buyers and the shop's services reach. Needs the extra `http`."""
