using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Auditing;

/// <summary>When a request is written down.</summary>
internal static class AuditStages
{
    /// <summary>A watch, or a stream, has been let in: it may last.</summary>
    public const string ResponseStarted = "ResponseStarted";

    /// <summary>It has been answered.</summary>
    public const string ResponseComplete = "ResponseComplete";
}

/// <summary>
/// Which requests are written down: the first rule that fits a request decides, and one that no rule fits is not. Pure. The form and its
/// meaning are those of <c>audit.k8s.io/v1</c> Policy (Kubernetes documentation, "Auditing"), of whose levels there are <c>None</c> and <c>Metadata</c>:
/// who asked for what and what came of it. Bodies are not written down, so no secret can be in the log.
/// </summary>
public sealed class AuditPolicy
{
    private const string NoLevel = "None";
    private const string MetadataLevel = "Metadata";

    private static readonly string[] Stages = ["RequestReceived", AuditStages.ResponseStarted, AuditStages.ResponseComplete, "Panic"];
    private static readonly string[] PolicyFields = ["apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields"];
    private static readonly string[] RuleFields = ["level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs", "omitStages", "omitManagedFields"];

    private readonly IReadOnlyList<Rule> rules;

    private AuditPolicy(IReadOnlyList<Rule> rules) => this.rules = rules;

    /// <summary>Every change, every program run in a guest or pod, and every look at a secret; but not what nodes and controllers keep up to date by themselves.</summary>
    public static AuditPolicy Standard { get; } = new(
    [
        new Rule(IsRecorded: false) { Resources = [("coordination.k8s.io", ["leases"], [])] },
        new Rule(IsRecorded: false) { Groups = [User.NodesGroup], Verbs = ["update", "patch"] },
        new Rule(IsRecorded: false) { Users = [User.ControllersName], Verbs = ["update", "patch"] },
        new Rule(IsRecorded: false) { Resources = [("", ["events"], []), ("events.k8s.io", ["events"], [])] },
        new Rule(IsRecorded: true) { Verbs = ["create", "update", "patch", "delete", "deletecollection"], Resources = [("*", [], [])] },
        new Rule(IsRecorded: true) { Resources = [("", ["secrets", "serviceaccounts/token", "pods/exec", "pods/attach", "pods/portforward"], []), ("subresources.kubevirt.io", [], [])] },
    ]);

    private static AuditPolicy Parse(JsonObject policy)
    {
        if (policy.TextAt("apiVersion") != "audit.k8s.io/v1" || policy.TextAt("kind") != "Policy")
        {
            throw new FormatException("it does not begin with 'apiVersion: audit.k8s.io/v1' and 'kind: Policy'");
        }

        Known(policy, "", PolicyFields);
        var omitted = Texts(policy, "omitStages", "omitStages", Stages);
        var written = policy.ArrayAt("rules") ?? throw new FormatException("rules: a list of rules is needed");
        return new AuditPolicy([.. written.Select((rule, index) => ParseRule(rule as JsonObject ?? throw new FormatException($"rules[{index}]: it is no object"), $"rules[{index}]", omitted))]);
    }

    /// <param name="text">A policy in YAML or JSON.</param>
    /// <exception cref="FormatException">It is no policy, or asks for what is not there; says where.</exception>
    public static AuditPolicy Parse(ReadOnlySpan<byte> text)
    {
        try
        {
            var body = JsonBody.TryParse(text) ?? YamlBody.Parse(text);
            return body.DuplicateFields is [var twice, ..] ? throw new FormatException($"{twice}: it is there twice") : Parse(body.Value);
        }
        catch (StatusException error)
        {
            throw new FormatException(error.Message, error);
        }
    }

    /// <summary>Whether this is to be written down at this stage.</summary>
    internal bool Records(User user, RequestInfo info, string stage) =>
        rules.FirstOrDefault(rule => rule.Fits(user, info)) is { IsRecorded: true } first && !first.OmittedStages.Contains(stage);

    private static Rule ParseRule(JsonObject rule, string path, IReadOnlyList<string> omitted)
    {
        Known(rule, path + ".", RuleFields);
        var level = rule.TextAt("level");
        if (level is not (NoLevel or MetadataLevel))
        {
            throw new FormatException(level is "Request" or "RequestResponse"
                ? $"{path}.level: '{level}' would write bodies down, which is not supported: use Metadata"
                : $"{path}.level: '{level}' is none of None, Metadata");
        }

        return new Rule(level == MetadataLevel)
        {
            Users = Texts(rule, "users", $"{path}.users"),
            Groups = Texts(rule, "userGroups", $"{path}.userGroups"),
            Verbs = Texts(rule, "verbs", $"{path}.verbs"),
            Namespaces = Texts(rule, "namespaces", $"{path}.namespaces"),
            Paths = Texts(rule, "nonResourceURLs", $"{path}.nonResourceURLs"),
            OmittedStages = [.. omitted, .. Texts(rule, "omitStages", $"{path}.omitStages", Stages)],
            Resources = [.. (rule.ArrayAt("resources") ?? []).Select((each, index) => ParseResources(each as JsonObject, $"{path}.resources[{index}]"))],
        };
    }

    private static (string Group, IReadOnlyList<string> Resources, IReadOnlyList<string> Names) ParseResources(JsonObject? group, string path)
    {
        Known(group ?? throw new FormatException($"{path}: it is no object"), path + ".", ["group", "resources", "resourceNames"]);
        return (group.TextAt("group") ?? "", Texts(group, "resources", $"{path}.resources"), Texts(group, "resourceNames", $"{path}.resourceNames"));
    }

    private static void Known(JsonObject holder, string path, string[] fields)
    {
        if (holder.FirstOrDefault(field => !fields.Contains(field.Key)) is { Key: { } unknown })
        {
            throw new FormatException($"{path}{unknown}: there is no such field");
        }
    }

    private static IReadOnlyList<string> Texts(JsonObject holder, string field, string path, string[]? allowed = null)
    {
        if (holder.At(field) is not { } found)
        {
            return [];
        }

        var texts = (found as JsonArray)?.Select(JsonAccess.AsText).ToList() ?? throw new FormatException($"{path}: it is no list");
        return texts.Find(text => text is null || (allowed is not null && !allowed.Contains(text))) is { } wrong || texts.Contains(null)
            ? throw new FormatException($"{path}: {(allowed is null ? "each has to be a text" : $"each is one of {string.Join(", ", allowed)}")}")
            : [.. texts.OfType<string>()];
    }

    /// <summary>What a rule leaves empty it does not ask for.</summary>
    private sealed record Rule(bool IsRecorded)
    {
        public IReadOnlyList<string> Users { get; init; } = [];

        public IReadOnlyList<string> Groups { get; init; } = [];

        public IReadOnlyList<string> Verbs { get; init; } = [];

        public IReadOnlyList<(string Group, IReadOnlyList<string> Resources, IReadOnlyList<string> Names)> Resources { get; init; } = [];

        public IReadOnlyList<string> Namespaces { get; init; } = [];

        public IReadOnlyList<string> Paths { get; init; } = [];

        public IReadOnlyList<string> OmittedStages { get; init; } = [];

        public bool Fits(User user, RequestInfo info) =>
            (Users.Count == 0 || Users.Contains(user.Name))
            && (Groups.Count == 0 || Groups.Any(user.IsIn))
            && (Verbs.Count == 0 || Verbs.Contains(info.Verb) || Verbs.Contains("*"))
            && (info.IsResource ? FitsResource(info) : FitsPath(info.Path));

        private bool FitsResource(RequestInfo info) =>
            (Namespaces.Count == 0 || Namespaces.Contains(info.Namespace))
            && (Resources.Count == 0 ? Paths.Count == 0 : Resources.Any(each => FitsResource(each, info)));

        private static bool FitsResource((string Group, IReadOnlyList<string> Resources, IReadOnlyList<string> Names) wanted, RequestInfo info) =>
            (wanted.Group == "*" || wanted.Group == info.Group)
            && (wanted.Resources.Count == 0 || wanted.Resources.Any(name => FitsName(name, info)))
            && (wanted.Names.Count == 0 || wanted.Names.Contains(info.Name));

        private static bool FitsName(string wanted, RequestInfo info) => wanted.Split('/') switch
        {
            [var resource] => (resource == "*") || (resource == info.Resource && info.Subresource.Length == 0),
            [var resource, var sub] => info.Subresource.Length > 0 && (resource == "*" || resource == info.Resource) && (sub == "*" || sub == info.Subresource),
            _ => false,
        };

        private bool FitsPath(string path) =>
            Namespaces.Count == 0
            && (Paths.Count == 0 ? Resources.Count == 0 : Paths.Any(rule => rule == path || (rule.EndsWith('*') && path.StartsWith(rule[..^1], StringComparison.Ordinal))));
    }
}
