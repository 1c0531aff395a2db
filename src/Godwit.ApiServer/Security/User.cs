namespace Godwit.ApiServer.Security;

/// <summary>Who sends a request, as authentication found.</summary>
internal sealed record User(string Name, IReadOnlyList<string> Groups, string Uid = "")
{
    public const string AuthenticatedGroup = "system:authenticated";
    public const string MastersGroup = "system:masters";
    public const string NodesGroup = "system:nodes";
    public const string BootstrappersGroup = "system:bootstrappers";
    public const string UnauthenticatedGroup = "system:unauthenticated";
    public const string ServiceAccountPrefix = "system:serviceaccount:";
    public const string ServiceAccountsGroup = "system:serviceaccounts";
    public const string NodeNamePrefix = "system:node:";
    public const string ControllersName = "system:godwit-controllers";
    public const string ServerName = "system:godwit-server";

    /// <summary>Beside a bootstrap token: the node whose own certificate was shown too, out of date or not. It gives no right but that to a new one.</summary>
    public FormerNode? Former { get; init; }

    /// <summary>What else is known of a service account by its token: the pod that has it, and the token's own name.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Extra { get; init; } = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);

    public static User Anonymous { get; } = new("system:anonymous", [UnauthenticatedGroup]);

    public static string AccountName(string ns, string account) => $"{ServiceAccountPrefix}{ns}:{account}";

    /// <summary>The groups that every service account of a namespace is in.</summary>
    public static IReadOnlyList<string> AccountGroups(string ns) => [ServiceAccountsGroup, $"{ServiceAccountsGroup}:{ns}", AuthenticatedGroup];

    public bool IsAnonymous => ReferenceEquals(this, Anonymous);

    public bool IsIn(string group) => Groups.Contains(group, StringComparer.Ordinal);

    /// <summary>The node that this user is, or null.</summary>
    public string? NodeName => IsIn(NodesGroup) && Name.StartsWith(NodeNamePrefix, StringComparison.Ordinal) ? Name[NodeNamePrefix.Length..] : null;
}

/// <summary>A node, by a certificate that it once had and whose key it still has.</summary>
/// <param name="NodeName">The node.</param>
/// <param name="Until">The end of the certificate's time.</param>
internal sealed record FormerNode(string NodeName, DateTimeOffset Until);
