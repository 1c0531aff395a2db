using Microsoft.Extensions.Logging;

namespace Godwit.Node.Peers;

/// <summary>What every part of the transport needs, put together once by the agent.</summary>
internal sealed record PeerServices(PeerIdentity Identity, PeerMethods Methods, PeerLimits Limits, TimeProvider Time, ILogger Logger);
