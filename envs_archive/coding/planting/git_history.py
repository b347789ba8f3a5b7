async def mine(*a): raise NotImplementedError
